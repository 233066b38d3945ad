"""Studies take turns at the network, and what is given up leaves the queue."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from metseg.checkpoints import load_checkpoint
from metseg.inference import Segmenter
from metseg.server.engine import Cancelled, Engine, ModelRegistry, ModelThread, QueueFullError, ThreadRunner, Work
from metseg.study import Study

Batches = list[int]
Running = tuple[ModelThread, ModelRegistry, Engine, Batches]


@pytest.fixture
def running(weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    monkeypatch.setenv("METSEG_WEIGHTS", str(weights))
    batches: Batches = []
    thread = ModelThread(lambda slices, _seconds: batches.append(slices))
    runner = ThreadRunner(thread, device="cpu", batch=8)
    registry = ModelRegistry("small", kept=1, runner=runner)
    registry.load_default()
    engine = Engine(runner, waiting=20, samples=1 << 20)
    yield thread, registry, engine, batches
    engine.close()
    thread.close()


def hold(thread: ModelThread) -> Callable[[], None]:
    """Keep the model thread busy until the answer is called."""
    gate = threading.Event()
    holder = threading.Thread(target=lambda: thread.call(gate.wait))
    holder.start()

    def release() -> None:
        gate.set()
        holder.join()

    return release


def until(condition: Callable[[], bool]) -> None:
    tick = threading.Event()
    for _ in range(3000):
        if condition():
            return
        tick.wait(0.01)
    raise AssertionError("it did not happen")


def slices_of(head: Study) -> list[Study]:
    return [Study(f"{z}", np.ascontiguousarray(head.voxels[:, z : z + 1]), head.sequences) for z in range(10)]


def test_studies_that_wait_together_get_the_segmenters_masks(running: Running, head: Study) -> None:
    thread, registry, engine, batches = running
    model = registry.get(None)
    postprocessing = model.checkpoint.card.postprocessing
    release = hold(thread)
    futures = [engine.start(study, model, postprocessing)[1] for study in slices_of(head)]
    until(lambda: thread.slices_waiting == 10)
    release()
    masks = [future.result(60) for future in futures]
    assert batches == [1] * 10
    with Segmenter(load_checkpoint(model.checkpoint.path), device="cpu") as segmenter:
        for study, found in zip(slices_of(head), masks, strict=True):
            expected = segmenter.segment(study)
            assert np.array_equal(found.probabilities, expected.probabilities)
            assert np.array_equal(found.mask, expected.mask)


def test_a_study_of_many_slices_lets_others_through(running: Running, head: Study) -> None:
    thread, registry, engine, batches = running
    model = registry.get(None)
    release = hold(thread)
    postprocessing = model.checkpoint.card.postprocessing
    long = Study("long", np.concatenate([head.voxels] * 4, axis=1), head.sequences)
    _, slow = engine.start(long, model, postprocessing)
    until(lambda: thread.slices_waiting == 8)
    _, quick = engine.start(slices_of(head)[0], model, postprocessing)
    until(lambda: thread.slices_waiting == 9)
    release()
    quick.result(60)
    assert not slow.done()
    assert slow.result(60).mask.shape == long.shape
    assert sum(batches) == 41


def test_what_is_given_up_leaves_the_queue_at_once(running: Running, head: Study) -> None:
    thread, registry, engine, batches = running
    model = registry.get(None)
    release = hold(thread)
    started = [engine.start(study, model, model.checkpoint.card.postprocessing) for study in slices_of(head)]
    until(lambda: thread.slices_waiting == 10)
    for work, future in started[:9]:
        engine.cancel(work, future)
    assert thread.slices_waiting == 1
    for _, future in started[:9]:
        with pytest.raises(Cancelled):
            future.result(10)
    release()
    assert started[9][1].result(60).mask.shape == (1, 64, 64)
    assert batches == [1]


def test_the_queue_is_bounded_in_studies_and_in_memory(running: Running, head: Study) -> None:
    _, _, engine, _ = running
    slots = [engine.admit() for _ in range(20)]
    with pytest.raises(QueueFullError) as busy:
        engine.admit()
    assert busy.value.seconds >= 1
    large = Study("large", np.zeros((1, 33, 256, 256), np.uint8), head.sequences[:1])
    engine.hold(slots[0], large)
    with pytest.raises(QueueFullError):
        engine.hold(slots[1], large)
    slots[0].close()
    slots[0].close()
    engine.hold(slots[1], large)
    for slot in slots:
        slot.close()
    assert engine.slots == 0


def test_only_so_many_models_stay_loaded_and_each_answers_for_itself(running: Running, head: Study) -> None:
    _, registry, engine, _ = running
    study = slices_of(head)[5]

    def ask(name: str) -> bytes:
        model = registry.get(name)
        return engine.start(study, model, model.checkpoint.card.postprocessing)[1].result(60).probabilities.tobytes()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, ["small", "other"] * 6))
    assert len(set(answers[::2])) == len(set(answers[1::2])) == 1
    assert answers[0] != answers[1]
    assert len(registry.loaded) <= 2


def test_the_rest_of_a_study_is_estimated_while_it_runs(
    running: Running, head: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, registry, engine, _ = running
    monkeypatch.setattr("metseg.events._SHORTEST", 0.0)
    told: list[float | None] = []

    class Kept(Work):
        def __setattr__(self, name: str, value: object) -> None:
            super().__setattr__(name, value)
            if name == "seconds_left":
                told.append(value)  # type: ignore[arg-type]  # seconds, or None

    monkeypatch.setattr("metseg.server.engine.queue.Work", Kept)
    model = registry.get(None)
    long = Study("long", np.concatenate([head.voxels] * 4, axis=1), head.sequences)
    _, future = engine.start(long, model, model.checkpoint.card.postprocessing)
    future.result(60)
    estimates = [seconds for seconds in told if seconds is not None]
    assert estimates
    assert min(estimates) > 0
    assert told[-1] is None, "nothing is left"
