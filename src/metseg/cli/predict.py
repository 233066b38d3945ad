"""``metseg predict``: images in, masks out, one for one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from metseg import DEFAULT_MODEL
from metseg.cli.console import echo, leave_with, list_problems, out
from metseg.cli.options import (
    Backend,
    Clahe,
    Device,
    MinLesionVoxels,
    Model,
    Rules,
    Sequences,
    Server,
    TargetName,
    Threshold,
    data_of,
    sequences_of,
    targets_of,
)
from metseg.cli.progress import EventBar, follow
from metseg.errors import DataError

if TYPE_CHECKING:
    from metseg.prediction import NetworkSettings, PredictedFiles, PredictionSettings, StudyPredictor
    from metseg.study import Sequence


def predict(
    context: typer.Context,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="Where the masks go.")],
    input_: Annotated[
        Path | None,
        typer.Option("--input", metavar="FILE_OR_DIR", help="An image, a patient's folder, a folder of patients."),
    ] = None,
    model: Model = DEFAULT_MODEL,
    target: TargetName = None,
    sequences: Sequences = None,
    rules: Rules = None,
    device: Device = "auto",
    backend: Backend = "auto",
    server: Server = None,
    threshold: Threshold = None,
    min_lesion_voxels: MinLesionVoxels = None,
    clahe: Clahe = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Slices per forward pass; `metastases` takes 32 or more.")] = 8,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Also write <image>_prob, 0 to 255 for 0 to 1.")
    ] = False,
    report: Annotated[
        bool,
        typer.Option("--report", help="Also write <name>_report.pdf; of dicom-seg <name>_report.dcm (TID 1500), too."),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option("--format", help="Of the masks: tiff, nifti, dicom-seg or rtstruct; by default as the images."),
    ] = None,
    dicomweb: Annotated[
        str | None, typer.Option("--dicomweb", metavar="URL", help="Fetch --study from this DICOMweb service instead.")
    ] = None,
    study: Annotated[str | None, typer.Option("--study", metavar="UID", help="StudyInstanceUID.")] = None,
    store: Annotated[bool, typer.Option("--store", help="Store what DICOM is written in --dicomweb.")] = False,
    manifest: Annotated[
        Path | None,
        typer.Option(
            "--manifest", metavar="CSV", help="Outline the studies of this table instead; goes on if run again."
        ),
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option("--engine", help="Of --manifest: in this process, or on a Ray cluster.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Of --engine ray: one for each GPU, else one a machine.")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help="Replace masks of an earlier run in --output; edited ones never."),
    ] = False,
) -> None:
    """Outline lesions: write <image>_mask for every image, in the input's folder structure and format.

    With --dicomweb the MR series of --study are fetched from a PACS, answered as dicom-seg unless --format says
    otherwise, and with --store stored there. Credentials are taken from the environment:
    METSEG_DICOMWEB_AUTHORIZATION (the header), METSEG_DICOMWEB_CERT and METSEG_DICOMWEB_KEY.

    Masks of TIFF, PNG and JPEG are TIFF (0 and 255); masks of NIfTI, DICOM series, NRRD and MetaImage are NIfTI (0 and
    1) on the image's own grid, in the place and orientation of the image. --format chooses another; DICOM series can
    be answered as dicom-seg (one segment a lesion) and rtstruct (contours), which refer to the series.

    With --target both, the masks of what enhances go into the folder enhancing_lesion of --output under the same
    names. <image>_mask.json beside each mask says its target and the network.

    Masks of an earlier run are only replaced with --overwrite. Masks that were edited since, or come from elsewhere,
    are never replaced: nothing is written then.

    Files that cannot be read are listed and skipped, and make the exit status 1. Threshold, smallest lesion and
    CLAHE are the model's own unless given.

    With --manifest the studies of a table (columns path, and output and sequences where needed) are outlined: what is
    done is left out when the command is run again, studies.csv in --output says what became of each row, and one
    that fails does not end the others. --engine ray does it on all machines of a Ray cluster.

    With --server the networks of a metseg server outline, and none is loaded here. Voxels, spacing and names of the
    sequences are sent to it, and nothing else of the files. A connection that is lost is taken up again.

    --report writes a page on each study (<name>_report.pdf: lesion table with volume, diameters and RANO-BM's sizes,
    and pictures), and beside a dicom-seg a DICOM Structured Report with the same measures.
    """
    from metseg.prediction import NetworkSettings, PredictionSettings, StudyPredictor

    if sum(source is not None for source in (input_, dicomweb, manifest)) != 1:
        raise DataError("give one of --input, --manifest, and --dicomweb with --study")
    if (dicomweb is None) != (study is None) or (store and dicomweb is None):
        raise DataError("give --dicomweb with --study; --store goes with both")
    if manifest is None and (engine != "local" or workers is not None):
        raise DataError("--engine and --workers go with --manifest")
    if manifest is not None and (rules is not None or sequences is not None):
        raise DataError("in place of --rules and --sequences the manifest has a column sequences")
    if dicomweb is not None:
        form = form or "dicom-seg"
    source = context.get_parameter_source("backend")
    if server is not None and source is not None and source.name == "ENVIRONMENT":
        backend = "auto"  # what METSEG_BACKEND says is said of this computer
    networks = NetworkSettings(model, device, batch_size, clahe, backend, server)
    settings = PredictionSettings(
        targets_of(target), threshold, min_lesion_voxels, form, probabilities, report, overwrite
    )
    if manifest is not None:
        _predict_manifest(manifest, output, networks, settings, engine, workers)
        return
    with networks.open(settings.targets) as segmenters:
        predictor = StudyPredictor(segmenters, settings)
        if input_ is not None:
            done = _predict(predictor, input_, output, sequences_of(sequences), rules)
        else:
            done = _predict_from_pacs(predictor, output, dicomweb or "", study or "", store=store)
    echo(out(), f"{len(done.masks)} mask{'s' * (len(done.masks) != 1)} in {output}")
    if done.remarks:
        list_problems("Remarks:", done.remarks)
    leave_with(done.refused)


def _predict(
    predictor: StudyPredictor, source: Path, output: Path, sequences: tuple[Sequence, ...] | None, rules: Path | None
) -> PredictedFiles:
    """Outline all studies in a file or folder."""
    from metseg.prediction import PredictedFiles, read_ahead

    root = source if source.is_dir() else source.parent
    found = predictor.find(data_of(source, rules), root, output, sequences)
    done = PredictedFiles()
    with EventBar() as bar:
        for number, (files, loaded) in enumerate(read_ahead(found), start=1):
            title = f"{files.name} ({number} of {len(found)})"
            done += bar.follow(predictor.predict(loaded, files, root, output), title)
    return done


def _predict_from_pacs(predictor: StudyPredictor, output: Path, url: str, study: str, *, store: bool) -> PredictedFiles:
    """Fetch a study into a folder that is removed afterwards, outline it, and store what came of it."""
    import tempfile

    from metseg.dicomweb import Pacs

    pacs = Pacs(url)
    with tempfile.TemporaryDirectory(prefix="metseg-") as folder:
        place = Path(folder) / study
        follow(pacs.fetching(study, place), "fetching")
        done = _predict(predictor, place, output, None, None)
    if store:
        files = [path for path in (*done.masks, *done.others) if path.suffix == ".dcm"]
        pacs.store(files)
        echo(out(), f"{len(files)} file{'s' * (len(files) != 1)} stored in {url}")
    return done


def _predict_manifest(
    manifest: Path,
    output: Path,
    networks: NetworkSettings,
    settings: PredictionSettings,
    engine: str,
    workers: int | None,
) -> None:
    """Outline the studies of a manifest, and say what became of them."""
    from metseg.prediction import TABLE, predict_manifest, ray_engine, read_manifest, run_here

    runner = ray_engine(workers) if engine == "ray" else run_here
    output.mkdir(parents=True, exist_ok=True)
    results = follow(predict_manifest(read_manifest(manifest), output, networks, settings, runner), "outlining")
    masks = sum(len(one.masks) for one in results)
    echo(out(), f"{masks} mask{'s' * (masks != 1)} of {len(results)} rows in {output}\n  {output / TABLE}")
    if remarks := [remark for one in results for remark in one.remarks]:
        list_problems("Remarks:", remarks)
    leave_with(reason for one in results for reason in one.refused)
