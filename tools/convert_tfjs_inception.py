"""Turn the InceptionV3 of the npm package `nsfwjs` into weights for SMP's `tu-inception_v3` encoder.

The package (MIT, Infinite Red, Inc.) carries a TensorFlow.js copy of an InceptionV3 that began from Keras's ImageNet
weights and was trained further as a classifier of indecent pictures, on photographs and drawings gathered from the
web. Only general image features are of use here. The weights are 8-bit: one scale and one minimum for each tensor. The
five-class head is dropped; the 94 convolutions and their batch normalisations are written as float16 under the names
of the encoder's own `state_dict`.

    npm pack nsfwjs@4.3.0
    python tools/convert_tfjs_inception.py nsfwjs-4.3.0.tgz inception_v3_nsfwjs.safetensors

**Input.** RGB in [0, 1]: pixel / 255, no mean and no standard deviation. The package divides by 255, its training code
rescaled by 1/255, and the weights agree: the first batch normalisation's means are those of a constant colour of
(0.59, 0.52, 0.49) seen through the first convolution (correlation 0.9999).

**Check.** With `--node-project FOLDER`, where `npm install nsfwjs@4.3.0 @tensorflow/tfjs@4 buffer@6` was run, a
photograph goes through the original under Node and through the encoder loaded from the written file; the five
feature maps that the encoder hands to a decoder are compared. timm averages the zeros beyond the border into its 3 x 3
pooling, Keras leaves them out. Names, layout and order are proved with Keras's rule put into the encoder: the script
fails below a cosine of 0.999. What timm's own rule changes is printed beside it, and is no error of the conversion:

    layer         cosine, Keras pooling  cosine, timm pooling
    activation_3  0.999998               0.999998
    activation_5  0.999999               0.999999
    mixed2        0.999999               0.994424
    mixed7        0.999998               0.978116
    mixed10       0.999999               0.960853

Two runs write the same tensors; only the order of the metadata in the file's header may differ.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import tarfile
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any
from unittest.mock import patch

import numpy as np
import segmentation_models_pytorch as smp
import torch
import typer
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from skimage.data import astronaut
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn import functional

MODEL_FOLDER = "dist/models/inception_v3"
ENCODER = "tu-inception_v3"
KERAS_LAYERS = ("activation_3", "activation_5", "mixed2", "mixed7", "mixed10")
LEAST_COSINE = 0.999

JS_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|![01]|(?<=[{,])[A-Za-z_$][\w$]*(?=:)|(?<!\d)\.(?=\d)')
JS_TO_JSON = {"!0": "true", "!1": "false", ".": "0."}

RUN_ORIGINAL = """
const fs = require('fs'), tf = require('@tensorflow/tfjs'), nsfwjs = require('nsfwjs');
const [folder, ...layers] = process.argv.slice(1);
(async () => {
  const original = (await nsfwjs.load('InceptionV3')).model;
  const model = tf.model({inputs: original.inputs, outputs: layers.map(name => original.getLayer(name).output)});
  const bytes = fs.readFileSync(folder + '/image.bin');
  const image = tf.tensor(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4), [1, 299, 299, 3]);
  const maps = model.predict(image);
  for (let i = 0; i < layers.length; i++) fs.writeFileSync(`${folder}/${layers[i]}.bin`, await maps[i].data());
})();
"""


class Package:
    """The unpacked folder or the `.tgz` of an npm package.

    Parameters
    ----------
    path : Path
        The folder that holds `package.json`, or the archive that `npm pack` writes.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            self._files = {str(file.relative_to(path)): file.read_bytes() for file in path.glob(f"{MODEL_FOLDER}/*.js")}
            self._files["package.json"] = (path / "package.json").read_bytes()
        else:
            with tarfile.open(path) as archive:
                wanted = re.compile(rf"package/(package\.json|{MODEL_FOLDER}/[^/]+\.js)")
                self._files = {
                    member.name.removeprefix("package/"): archive.extractfile(member).read()  # type: ignore[union-attr]
                    for member in archive
                    if wanted.fullmatch(member.name)
                }

    def description(self) -> dict[str, Any]:
        """Return what `package.json` says."""
        description: dict[str, Any] = json.loads(self._files["package.json"])
        return description

    def model(self) -> dict[str, Any]:
        """Return the TensorFlow.js `model.json`: its topology and the manifest of its weights."""
        source = JS_TOKEN.sub(_json_token, self._exported("model"))
        model: dict[str, Any] = json.JSONDecoder().raw_decode(source)[0]
        return model

    def shard(self, name: str) -> bytes:
        """Return the bytes of one weight shard, which the package holds as a base64 string in a script."""
        return base64.b64decode(json.JSONDecoder().raw_decode(self._exported(name))[0], validate=True)

    def _exported(self, name: str) -> str:
        return re.split(r"\.exports=(?=[{\"])", self._files[f"{MODEL_FOLDER}/{name}.min.js"].decode(), maxsplit=1)[1]


def _json_token(match: re.Match[str]) -> str:
    token = match.group()
    return token if token.startswith('"') else JS_TO_JSON.get(token, f'"{token}"')


def dequantise(package: Package, model: dict[str, Any]) -> dict[str, NDArray[np.float32]]:
    """Return every tensor of the model as float32: `minimum + scale * byte`.

    Parameters
    ----------
    package : Package
        Where the shards are.
    model : dict
        What `Package.model` returned.

    Returns
    -------
    dict of str to ndarray
        Keras names, such as `conv2d_1/kernel` (y, x, in, out).

    Raises
    ------
    ValueError
        If a tensor is not 8-bit, or the shards are longer or shorter than the manifest says.
    """
    tensors = {}
    for group in model["weightsManifest"]:
        stored = b"".join(package.shard(path) for path in group["paths"])
        offset = 0
        for spec in group["weights"]:
            rule = spec.get("quantization", {})
            if rule.get("dtype") != "uint8":
                raise ValueError(f"{spec['name']} is not quantised to 8 bits")
            levels = np.frombuffer(stored, np.uint8, int(np.prod(spec["shape"])), offset)
            tensors[spec["name"]] = (levels * rule["scale"] + rule["min"]).astype(np.float32).reshape(spec["shape"])
            offset += levels.size
        if offset != len(stored):
            raise ValueError(f"the shards hold {len(stored)} bytes, the manifest describes {offset}")
    return tensors


def new_encoder() -> nn.Module:
    """Return SMP's encoder with random weights, in evaluation mode."""
    encoder: nn.Module = smp.encoders.get_encoder(ENCODER, weights=None)
    return encoder.eval()


def to_encoder(model: dict[str, Any], tensors: dict[str, NDArray[np.float32]]) -> dict[str, Tensor]:
    """Name and lay out the Keras tensors as the encoder's `state_dict` has them.

    Keras numbers its convolutions in the order in which timm defines its own, so the n-th convolution of the encoder
    takes `conv2d_n` and `batch_normalization_n`. The normalisations have no scale of their own: it is 1.

    Parameters
    ----------
    model : dict
        What `Package.model` returned; its topology says which normalisation follows which convolution.
    tensors : dict of str to ndarray
        What `dequantise` returned.

    Returns
    -------
    dict of str to Tensor
        float16; the batch counters int64 zeros.

    Raises
    ------
    ValueError
        If the topology is not the expected one.
    RuntimeError
        If a name is missing or left over, or a shape differs.
    """
    encoder = new_encoder()
    norms = [module for module in encoder.modules() if isinstance(module, nn.BatchNorm2d)]
    blocks = [name.removesuffix(".conv") for name, module in encoder.named_modules() if isinstance(module, nn.Conv2d)]
    layers = {layer["name"]: layer for layer in model["modelTopology"]["model_config"]["config"]["layers"]}
    if len(blocks) != sum(layer["class_name"] == "Conv2D" for layer in layers.values()):
        raise ValueError(f"the package's model has not the {len(blocks)} convolutions of {ENCODER}")

    state: dict[str, Tensor] = {}
    for number, (block, norm) in enumerate(zip(blocks, norms, strict=True), start=1):
        conv_name, norm_name = f"conv2d_{number}", f"batch_normalization_{number}"
        keras = layers[norm_name]
        if keras["inbound_nodes"][0][0][0] != conv_name or keras["config"]["scale"]:
            raise ValueError(f"{norm_name} does not follow {conv_name}, or has a scale")
        if not np.isclose(keras["config"]["epsilon"], norm.eps):
            raise ValueError(f"{norm_name} has epsilon {keras['config']['epsilon']}, {block} has {norm.eps}")
        parts = {
            "conv.weight": tensors[f"{conv_name}/kernel"].transpose(3, 2, 0, 1),
            "bn.weight": np.ones(norm.num_features, np.float32),
            "bn.bias": tensors[f"{norm_name}/beta"],
            "bn.running_mean": tensors[f"{norm_name}/moving_mean"],
            "bn.running_var": tensors[f"{norm_name}/moving_variance"],
        }
        state |= {f"{block}.{part}": torch.tensor(values.copy(), dtype=torch.float16) for part, values in parts.items()}
        state[f"{block}.bn.num_batches_tracked"] = torch.tensor(0)
    encoder.load_state_dict(state, strict=True)
    return state


def photograph() -> NDArray[np.float32]:
    """Return scikit-image's astronaut, (299, 299, 3) in [0, 1]."""
    image: NDArray[np.float64] = resize(astronaut(), (299, 299), anti_aliasing=True)  # type: ignore[no-untyped-call]
    return image.astype(np.float32)


def original_features(node_project: Path, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Run the package's own model under Node (a minute or two).

    Parameters
    ----------
    node_project : Path
        The folder in which the npm packages are installed.
    image : ndarray
        (299, 299, 3) in [0, 1].

    Returns
    -------
    list of ndarray
        One flat (y, x, channel) array for each of `KERAS_LAYERS`.

    Raises
    ------
    subprocess.CalledProcessError
        If Node fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        image.astype("<f4").tofile(Path(folder, "image.bin"))
        subprocess.run(["node", "-e", RUN_ORIGINAL, folder, *KERAS_LAYERS], cwd=node_project, check=True)  # noqa: S603, S607
        return [np.fromfile(Path(folder, f"{layer}.bin"), "<f4") for layer in KERAS_LAYERS]


def encoder_features(weights: Path, image: NDArray[np.float32], *, keras_pooling: bool) -> list[NDArray[np.float32]]:
    """Run the encoder with the written weights.

    Parameters
    ----------
    weights : Path
        The converted file.
    image : ndarray
        (299, 299, 3) in [0, 1].
    keras_pooling : bool
        Leave what lies beyond the border out of the averages, as Keras does.

    Returns
    -------
    list of ndarray
        One flat (y, x, channel) array for each of `KERAS_LAYERS`.
    """
    encoder = new_encoder()
    encoder.load_state_dict(load_file(weights), strict=True)
    pooling = partial(functional.avg_pool2d, count_include_pad=not keras_pooling)
    with patch.object(functional, "avg_pool2d", pooling), torch.inference_mode():
        maps = encoder(torch.from_numpy(image).permute(2, 0, 1)[None])[1:]
    return [features[0].permute(1, 2, 0).numpy().ravel() for features in maps]


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return the cosine of the angle between two flat feature maps."""
    return float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))


def check(weights: Path, node_project: Path) -> None:
    """Print how close the encoder's feature maps are to the original's.

    Parameters
    ----------
    weights : Path
        The converted file.
    node_project : Path
        The folder in which the npm packages are installed.

    Raises
    ------
    ValueError
        If, with Keras's pooling, a cosine is below `LEAST_COSINE`.
    """
    image = photograph()
    original = original_features(node_project, image)
    like_keras = encoder_features(weights, image, keras_pooling=True)
    as_timm = encoder_features(weights, image, keras_pooling=False)
    closest = [cosine(*pair) for pair in zip(original, like_keras, strict=True)]
    typer.echo("layer         cosine, Keras pooling  cosine, timm pooling")
    for layer, theirs, mine, close in zip(KERAS_LAYERS, original, as_timm, closest, strict=True):
        typer.echo(f"{layer:<12}  {close:<21.6f}  {cosine(theirs, mine):.6f}")
    if not min(closest) >= LEAST_COSINE:
        raise ValueError(f"the encoder's features are not those of the original: cosine {min(closest):.4f}")


def main(
    package: Annotated[Path, typer.Argument(exists=True, help="nsfwjs, unpacked or as a .tgz.")],
    out: Annotated[Path, typer.Argument(help="The safetensors file to write.")],
    node_project: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Compare with the original, installed here.")
    ] = None,
) -> None:
    """Write the encoder's weights and, on request, compare them with the original model."""
    source = Package(package)
    model = source.model()
    description = source.description()
    metadata = {
        "source": f"npm package {description['name']}",
        "version": description["version"],
        "licence": description["license"],
        "architecture": f"InceptionV3; state_dict of segmentation_models_pytorch encoder {ENCODER}",
        "input": "RGB in [0, 1] (pixel / 255), no mean and no standard deviation",
        "precision": "8-bit weights, dequantised and stored as float16",
    }
    save_file(to_encoder(model, dequantise(source, model)), out, metadata)
    typer.echo(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
    if node_project is not None:
        check(out, node_project)


if __name__ == "__main__":
    typer.run(main)
