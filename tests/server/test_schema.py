"""The OpenAPI document is true: Schemathesis asks what it allows, and more, and gets no answer it does not name."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from starlette.testclient import TestClient

from metseg.curation import Project
from metseg.study import read_study, write_tiff
from metseg.synthetic import synthetic_study

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def document(start_server: Any, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The document of a server over a project of one case: with every route."""
    spec = importlib.util.spec_from_file_location("hooks", repository / "docs/scripts/schemathesis_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    folder = tmp_path_factory.mktemp("project")
    write_tiff(folder / "head.tif", synthetic_study(seed=1, slices=8, size=64).voxels[1, :3])
    Project.create(folder / "project").add(read_study(folder / "head.tif"))
    server = start_server(project=folder / "project", upload_mib=1)
    yield schemathesis.openapi.from_url(f"{server.url}/openapi.json")
    server.end()


def test_answers_are_what_the_document_says(document: Any) -> None:
    asked = set()
    for result in document.get_all_operations():
        operation = result.ok()
        asked.add(operation.path)
        unhurried = settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)

        @unhurried
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            case.call_and_validate(timeout=120)

        ask()
    assert {
        "/predict",
        "/jobs/{id}/result",
        "/infer/{model}",
        "/datastore/label",
        "/session/",
        "/train/{model}",
    } <= asked


def test_every_operation_names_its_errors_and_gives_examples(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    operations = {(path, method): what for path, methods in paths.items() for method, what in methods.items()}
    assert {"/predict", "/jobs", "/jobs/{id}", "/jobs/{id}/result", "/models", "/livez", "/readyz"} <= set(paths)
    for (path, _), operation in operations.items():
        problems = {status for status in operation["responses"] if status >= "400"}
        assert problems, path
        for status in problems:
            assert list(operation["responses"][status]["content"]) == ["application/problem+json"], (path, status)
    forms = operations["/predict", "post"]["responses"]["200"]["content"]
    assert set(forms) == {
        "application/json", "image/png", "image/tiff", "application/gzip", "application/x-nifti", "application/zip",
        "application/dicom",
    }  # fmt: skip
    assert forms["application/json"]["example"]["lesions"]
    names = [one for one in operations["/predict", "post"]["parameters"] if one["name"] == "model"]
    assert {"other", "small"} <= set(names[0]["schema"]["anyOf"][0]["enum"])
