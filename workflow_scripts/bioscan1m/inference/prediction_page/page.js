"use strict";
// The rows are data: they reach the page as text of elements and as properties, never as markup.

const ROWS_SHOWN = 50;
const { verdicts, unlike } = JSON.parse(document.getElementById("settings").textContent);
const rows = JSON.parse(document.getElementById("rows").textContent);
const byId = (id) => document.getElementById(id);
const inWords = new Intl.Collator("en", { numeric: true });
const count = new Intl.NumberFormat("en");

// What a column is sorted by; a row without a value comes last, whatever the direction.
const SORTED_BY = {
  file: (row) => row.image_file,
  verdict: (row) => verdicts.indexOf(row.verdict),
  taxon: (row) => row.taxon,
  set: (row) => (row.set ? row.set.length : undefined),
  probability: (row) => row.probability,
  distance: (row) => row.distance,
  found: (row) => row.box_score,
  correct: (row) => row.correct,
};
const view = { sort: null, descending: false, hidden: new Set(), taxon: "", words: [], page: 0 };
let unsaved = false;
rows.forEach((row) => {
  const texts = [row.image_file, row.verdict, row.taxon, row.rank, row.reason, ...(row.set || []), ...(row.flags || [])];
  row.text = texts.filter(Boolean).join("\n").toLowerCase();
});

function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  const { data, ...properties } = settings;
  Object.assign(element, properties);
  Object.assign(element.dataset, data || {});
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function fits(row) {
  return (
    !view.hidden.has(row.verdict) &&
    (!view.taxon || row.taxon === view.taxon) &&
    view.words.every((word) => row.text.includes(word) || (row.correct || "").toLowerCase().includes(word))
  );
}

function compare(one, other) {
  const [a, b] = [SORTED_BY[view.sort](one), SORTED_BY[view.sort](other)];
  const [noA, noB] = [a === undefined || a === "", b === undefined || b === ""];
  if (noA || noB) return noA - noB;
  const order = typeof a === "number" ? a - b : inWords.compare(a, b);
  return view.descending ? -order : order;
}

function shownRows() {
  const found = rows.filter(fits);
  return view.sort === null ? found : found.sort(compare);
}

// ---- one row -----------------------------------------------------------------------------------------------------

function picture(bytes, text, box) {
  if (!bytes) return make("span", { className: "without", textContent: "no picture" });
  const image = make("img", { src: `data:image/webp;base64,${bytes}`, alt: text, loading: "lazy" });
  const frame = make("div", { className: "picture" }, image);
  if (box) {
    const outline = make("span", { className: "box", title: "the box of the insect" });
    ["left", "top", "width", "height"].forEach((side, place) => (outline.style[side] = `${box[place]}%`));
    frame.append(outline);
  }
  return frame;
}

function photographCell(row) {
  return make("td", {}, picture(row.photograph, `photograph ${row.image_file}`, row.box),
    make("div", { className: "file", textContent: row.image_file }));
}

function verdictCell(row) {
  return make("td", {}, make("span", { className: "badge", textContent: row.verdict }),
    make("div", { className: "minor", textContent: row.reason || "" }));
}

function taxonCell(row) {
  return make("td", {}, make("div", { className: "taxon", textContent: row.taxon || "–" }),
    make("div", { className: "minor", textContent: row.rank || "" }));
}

function setCell(row) {
  const set = row.set || [];
  const taxa = set.length > 1 ? `one of ${set.length}: ${set.join(", ")}` : set.length ? `${set[0]} alone` : "–";
  return make("td", {}, taxa);
}

function probabilityCell(row) {
  if (row.probability === undefined) return make("td", { className: "minor" }, "–");
  const bar = make("span");
  bar.style.width = `${100 * Math.min(1, Math.max(0, row.probability))}%`;
  return make("td", { className: "number" }, `${(100 * row.probability).toFixed(1)} %`,
    make("div", { className: "bar" }, bar));
}

function distanceCell(row) {
  if (row.distance === undefined) return make("td", { className: "minor" }, "–");
  const far = row.distance > unlike;
  return make("td", { className: far ? "number far" : "number" }, row.distance.toFixed(2),
    make("div", { textContent: far ? "above 1: unlike" : "" }));
}

function foundCell(row) {
  if (row.box_score === undefined) return make("td", { className: "minor" }, "–");
  return make("td", { className: "number" }, `score ${row.box_score.toFixed(2)}`,
    make("div", { className: "minor", textContent: (row.flags || []).join(", ").replaceAll("_", " ") }));
}

// "insect" is no taxon that photographs are labelled with.
const namesTaxon = (row) => Boolean(row.taxon) && row.verdict !== "insect";

function correctCell(row) {
  const input = make("input", { value: row.correct || "", ariaLabel: `correct taxon of ${row.image_file}` });
  input.setAttribute("list", "names");
  const cell = make("td", { className: "correct" }, input);
  const fill = (value) => {
    row.correct = input.value = value.trim();
    cell.classList.toggle("filled", Boolean(row.correct));
    unsaved = true;
    showDownload();
  };
  cell.classList.toggle("filled", Boolean(row.correct));
  input.addEventListener("change", () => fill(input.value));
  if (namesTaxon(row)) cell.append(make("button", { type: "button", textContent: "it is right", onclick: () => fill("ok") }));
  return cell;
}

function tableRow(row) {
  const crop = make("td", {}, picture(row.crop, `crop of ${row.image_file}`));
  return make("tr", { data: { verdict: row.verdict } }, photographCell(row), crop, verdictCell(row), taxonCell(row), setCell(row),
    probabilityCell(row), distanceCell(row), foundCell(row), correctCell(row));
}

// ---- the page ----------------------------------------------------------------------------------------------------

function show() {
  const found = shownRows();
  const pages = Math.max(1, Math.ceil(found.length / ROWS_SHOWN));
  view.page = Math.min(Math.max(view.page, 0), pages - 1);
  const first = view.page * ROWS_SHOWN;
  const shown = found.slice(first, first + ROWS_SHOWN);
  byId("body").replaceChildren(...shown.map(tableRow));
  byId("table").hidden = !found.length;
  byId("none").hidden = Boolean(found.length);
  const all = found.length === rows.length ? "" : `, from ${count.format(rows.length)}`;
  const range = `${count.format(Math.min(first + 1, found.length))} to ${count.format(first + shown.length)}`;
  byId("status").textContent = `${range} of ${count.format(found.length)}${all}`;
  byId("previous").disabled = view.page === 0;
  byId("next").disabled = view.page === pages - 1;
  document.querySelectorAll("th[data-sort]").forEach((heading) => {
    if (heading.dataset.sort === view.sort) heading.ariaSort = view.descending ? "descending" : "ascending";
    else heading.removeAttribute("aria-sort");
  });
}

function restart() {
  view.page = 0;
  show();
}

function turn(pages) {
  view.page += pages;
  show();
  const top = byId("controls").offsetTop;
  if (scrollY > top) scrollTo(0, top);
}

function sortBy(name) {
  view.descending = view.sort === name && !view.descending;
  view.sort = name;
  restart();
}

function counted(values) {
  const counts = new Map();
  values.filter(Boolean).forEach((value) => counts.set(value, (counts.get(value) || 0) + 1));
  return [...counts];
}

function addVerdicts() {
  const place = ([verdict]) => (verdicts.indexOf(verdict) + 1 || verdicts.length + 1);
  const counts = counted(rows.map((row) => row.verdict)).sort((a, b) => place(a) - place(b));
  for (const [verdict, number] of counts) {
    const button = make("button", { type: "button", className: "verdict", data: { verdict }, ariaPressed: "true" });
    button.textContent = `${verdict} ${count.format(number)}`;
    button.title = "show or hide these photographs";
    button.onclick = () => {
      const hide = !view.hidden.delete(verdict);
      if (hide) view.hidden.add(verdict);
      button.ariaPressed = String(!hide);
      restart();
    };
    byId("verdicts").append(button);
  }
}

function addTaxa() {
  const counts = counted(rows.map((row) => row.taxon)).sort(([a], [b]) => inWords.compare(a, b));
  for (const [value, number] of counts) {
    byId("taxon").append(make("option", { value, textContent: `${value} (${count.format(number)})` }));
  }
  const names = new Set(rows.flatMap((row) => [row.taxon, ...(row.set || [])]).filter(Boolean));
  byId("names").append(...[...names].sort(inWords.compare).map((value) => make("option", { value })));
}

function clearFilters() {
  view.hidden.clear();
  document.querySelectorAll("button.verdict").forEach((button) => (button.ariaPressed = "true"));
  byId("taxon").value = view.taxon = "";
  byId("search").value = "";
  view.words = [];
  restart();
}

// ---- corrections -------------------------------------------------------------------------------------------------

const cellOfTable = (value) => (/["\t\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

function correctedTable() {
  const columns = ["image_file", "verdict", "taxon", "rank", "reason", "correct"];
  const corrected = rows.filter((row) => row.correct);
  const lines = [columns, ...corrected.map((row) => columns.map((name) => cellOfTable(row[name] || "")))];
  return lines.map((cells) => `${cells.join("\t")}\n`).join("");
}

function showDownload() {
  const corrected = rows.filter((row) => row.correct).length;
  byId("download").textContent = `Save ${count.format(corrected)} correction${corrected === 1 ? "" : "s"}`;
  byId("download").disabled = !corrected;
}

function download() {
  const address = URL.createObjectURL(new Blob([correctedTable()], { type: "text/tab-separated-values" }));
  make("a", { href: address, download: "corrections.tsv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  unsaved = false;
}

byId("search").addEventListener("input", () => {
  view.words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  restart();
});
byId("taxon").addEventListener("change", () => {
  view.taxon = byId("taxon").value;
  restart();
});
document.querySelectorAll("th[data-sort] button").forEach((button) => {
  button.onclick = () => sortBy(button.parentElement.dataset.sort);
});
byId("previous").onclick = () => turn(-1);
byId("next").onclick = () => turn(1);
byId("clear").onclick = clearFilters;
byId("download").onclick = download;
addEventListener("beforeunload", (event) => unsaved && event.preventDefault());
// The headings stay below the controls, which take one line or two.
new ResizeObserver(() => {
  document.body.style.setProperty("--controls", `${byId("controls").offsetHeight}px`);
}).observe(byId("controls"));
addVerdicts();
addTaxa();
showDownload();
show();
