"""The dataset described for search engines (schema.org Dataset as JSON-LD) and for machine learning (Croissant 1.0).

Both list the published files with their sizes and SHA-256, by paths relative to the description, so that a folder that
is moved or uploaded as it stands stays described. Nothing comes from the clock: the date is the config's.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bioscan1m.foundation.atomic import write_json
from bioscan1m.foundation.digests import describe_files
from bioscan1m.foundation.licences import licence_url
from bioscan1m.metadata.split_rule import ROLES
from bioscan1m.metadata.table import NO_SPLIT, NOT_CLASSIFIED, RANKS, read_header, read_tsv

MEDIA_TYPES = {
    ".tsv": "text/tab-separated-values",
    ".jsonld": "application/ld+json",
    ".parquet": "application/vnd.apache.parquet",
    ".hdf5": "application/x-hdf5",
    ".zip": "application/zip",
}
CRATE = "../ro-crate/ro-crate-metadata.json"  # how the files were made, from where the descriptions lie
IMAGES_IN_ZIP = "bioscan/images"  # the folder in the zips of 256-pixel images
COLUMNS = {
    "sampleid": "identifier of the specimen, given by the collector",
    "processid": "identifier of the record in the Barcode of Life Data System",
    "uri": "Barcode Index Number (BIN)",
    "name": f"taxon that the specimen was assigned to, {NOT_CLASSIFIED} where none was",
    **{rank: f"{rank}, {NOT_CLASSIFIED} where it is unknown" for rank in RANKS},
    "nucraw": "nucleotide sequence of the DNA barcode",
    "image_file": "name of the image in the packages",
    "chunk_number": "chunk of the original images that holds the image",
}
KEYWORDS = ["biodiversity", "insects", "taxonomy", "DNA barcoding", "images", "classification", "long-tailed"]

# The context that the Croissant 1.0 specification asks for.
CROISSANT_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


def describe_dataset(
    metadata: str | Path,
    packages: list[str | Path],
    attributes: dict[str, str],
    experiments: list[str],
    jsonld: str | Path,
    croissant: str | Path,
) -> dict[str, int]:
    """Write both descriptions.

    Args:
        metadata: The final metadata, TSV.
        packages: All other files of the dataset.
        attributes: Those of the packages in the config: licence, owner, contact and date.
        experiments: The names of the experiments, each a column of roles.
        jsonld: The schema.org description to write.
        croissant: The Croissant description to write.

    Returns:
        The count of rows.
    """
    chunks = read_tsv(metadata, ["chunk_number"])["chunk_number"]
    files = describe_files([str(path) for path in (metadata, *packages)])
    columns = {name: _describe_column(name, experiments) for name in read_header(metadata)}
    dataset = _dataset(attributes, len(chunks), len(chunks.unique()), experiments)
    write_json(jsonld, _schema_org(dataset, _distribution(files, Path(jsonld).parent), columns))
    write_json(croissant, _croissant(dataset, _distribution(files, Path(croissant).parent), columns))
    return {"in": len(chunks)}


def _dataset(attributes: dict[str, str], rows: int, chunks: int, experiments: list[str]) -> dict[str, Any]:
    """What both descriptions have of the whole dataset."""
    contact = attributes["copyright_contact"]
    return {
        "name": attributes["description"],
        "description": (
            f"{attributes['description']}: {rows} rows of specimens with their taxonomy, Barcode Index Number, DNA "
            f"barcode and image, in {chunks} chunks, and the role of each image in {len(experiments)} classification "
            f"experiments ({', '.join(experiments)})."
        ),
        "license": licence_url(attributes["copyright_license"]),
        "creator": [{"@type": "Organization", "name": attributes["author"]}],
        "contributor": {"@type": "Organization", "name": attributes["photographer"]},
        "publisher": {"@type": "Organization", "name": attributes["copyright_institution"]},
        "copyrightHolder": {"@type": "Organization", "name": attributes["copyright_holder"]},
        "copyrightNotice": f"{attributes['copyright_license']}. {attributes['copyright_holder']}, contact: {contact}",
        "copyrightYear": attributes["copyright_year"],
        "datePublished": attributes["date"],
        "keywords": KEYWORDS,
        "isAccessibleForFree": True,
        "subjectOf": {"@type": "CreativeWork", "name": "How it was made: a Workflow Run RO-Crate", "url": CRATE},
    }


def _describe_column(name: str, experiments: list[str]) -> str:
    if name in experiments:
        return f"role of the image in the experiment {name}: {', '.join(ROLES)} or {NO_SPLIT}"
    return COLUMNS.get(name, "column of the source metadata")


def _distribution(files: list[dict[str, Any]], folder: Path) -> list[dict[str, str]]:
    """The files as schema.org and Croissant both describe them, with paths relative to `folder`."""
    return [
        {
            "name": Path(file["path"]).name,
            "contentUrl": Path(os.path.relpath(file["path"], folder)).as_posix(),
            "contentSize": f"{file['bytes']} B",
            "encodingFormat": MEDIA_TYPES[Path(file["path"]).suffix],
            "sha256": file["sha256"],
        }
        for file in files
    ]


def _schema_org(dataset: dict[str, Any], files: list[dict[str, str]], columns: dict[str, str]) -> dict[str, Any]:
    variables = [
        {"@type": "PropertyValue", "name": name, "description": description} for name, description in columns.items()
    ]
    return {
        "@context": "https://schema.org/",
        "@type": "Dataset",
        **dataset,
        "variableMeasured": variables,
        "distribution": [{"@type": "DataDownload", **file} for file in files],
    }


def _croissant(dataset: dict[str, Any], files: list[dict[str, str]], columns: dict[str, str]) -> dict[str, Any]:
    """Files, the images inside the zips of 256 pixels, and two kinds of records: specimens, and images per package."""
    table, *packages = (file["name"] for file in files)
    zips = [name for name in packages if name.endswith("_256.zip")]
    objects = [{"@type": "cr:FileObject", "@id": file["name"], **file} for file in files]
    return {
        "@context": CROISSANT_CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        **dataset,
        "distribution": [*objects, *(_file_set(name) for name in zips)],
        "recordSet": [_specimens(table, columns), *(_images(name) for name in zips)],
    }


def _file_set(package: str) -> dict[str, Any]:
    name = package.removesuffix(".zip")
    return {
        "@type": "cr:FileSet",
        "@id": f"{name}-images",
        "name": f"{name}-images",
        "description": f"images inside {package}",
        "containedIn": {"@id": package},
        "encodingFormat": "image/jpeg",
        "includes": f"{IMAGES_IN_ZIP}/{name}/*",
    }


def _specimens(table: str, columns: dict[str, str]) -> dict[str, Any]:
    fields = [
        {
            "@type": "cr:Field",
            "@id": f"specimens/{name}",
            "name": name,
            "description": description,
            "dataType": "sc:Text",
            "source": {"fileObject": {"@id": table}, "extract": {"column": name}},
        }
        for name, description in columns.items()
    ]
    key = {"@id": "specimens/image_file"}
    return {"@type": "cr:RecordSet", "@id": "specimens", "name": "specimens", "key": key, "field": fields}


def _images(package: str) -> dict[str, Any]:
    name = package.removesuffix(".zip")
    source = {"@id": f"{name}-images"}
    image_file = {
        "@type": "cr:Field",
        "@id": f"{name}/image_file",
        "name": "image_file",
        "description": COLUMNS["image_file"],
        "dataType": "sc:Text",
        "source": {"fileSet": source, "extract": {"fileProperty": "filename"}},
        "references": {"field": {"@id": "specimens/image_file"}},
    }
    content = {
        "@type": "cr:Field",
        "@id": f"{name}/image",
        "name": "image",
        "description": "the image",
        "dataType": "sc:ImageObject",
        "source": {"fileSet": source, "extract": {"fileProperty": "content"}},
    }
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "key": {"@id": f"{name}/image_file"},
        "field": [image_file, content],
    }
