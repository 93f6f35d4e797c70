"""Write the table of all keys of the config into the README: `make docs`."""

import argparse

from bioscan1m.plan.configuration_table import configuration_table, write_configuration_table

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("schema", help="JSON schema of the config, as YAML")
    parser.add_argument("config", help="the config whose values are shown")
    parser.add_argument("document", help="the Markdown file with a place for the table")
    given = parser.parse_args()
    write_configuration_table(given.document, configuration_table(given.schema, given.config))
