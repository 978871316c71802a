"""Embedding: retort (its shared library) beside PyTorch, ONNX Runtime and OpenVINO.

Peers are given batches of 32 texts as padded tensors of token ids, made beforehand, and give unit vectors of the mean
over real tokens; retort is given the texts.

    python encode.py export SCRATCH            the ONNX files
    python encode.py NAME SCRATCH              a side (rounds.py)
"""
import ctypes
import json
import re
import sys
from pathlib import Path

import numpy as np

import inputs
from rounds import THREADS, Entry, Side
from serve import serve

BATCH = 32
# How many texts, of how many tokens (0: mixed), sorted by length.  mix-unsorted: the first of the same texts.
WORKS = {
    "mix-sorted": (1024, 0, True),
    "mix-unsorted": (256, 0, False),
    "embed-64": (128, 64, True),
    "embed-128": (128, 128, True),
    "embed-512": (32, 512, True),
    "latency-16": (32, 16, True),
}
# Least cosine with PyTorch's f32 vectors.  PyTorch in bf16 keeps the hidden states themselves in bf16.
LEAST_COSINE = {"f32": 0.99999, "bf16": 0.999, "int8": 0.95}
LEAST_COSINE_OF_PYTORCH = {"f32": 0.99999, "bf16": 0.99}


def make_texts(scratch):
    path = scratch / "texts.json"
    tok, out = inputs.tokenizer(inputs.model(scratch)), {}
    mixed = inputs.mixed_lengths(1024)
    for seed, (work, (count, length, is_sorted)) in enumerate(WORKS.items()):
        lengths = [length] * count if length else mixed[:count]
        texts, ids = inputs.texts_of(sorted(lengths) if is_sorted else lengths, tok, seed)
        out[work] = {"texts": texts, "ids": ids}
    path.write_text(json.dumps(out))


def read_texts(scratch):
    return json.loads((scratch / "texts.json").read_text())


def batches_of(work, ids):
    size = 1 if work.startswith("latency") else BATCH
    return [inputs.padded(ids[at:at + size]) for at in range(0, len(ids), size)]


# ---- retort ----

def precisions():
    """{"f32": 1, ...} as student/retort.h says."""
    names = re.search(r"enum retort_precision \{([^}]*)\}", Path("student/retort.h").read_text()).group(1)
    names = [name.strip().removeprefix("RETORT_").lower() for name in names.split(",") if name.strip()]
    return {name: value for value, name in enumerate(names) if name != "auto"}


class Options(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("layers", "dim", "threads", "precision")]
    _fields_ += [("reserved", ctypes.c_int * 4)]


class Error(ctypes.Structure):
    _fields_ = [("status", ctypes.c_int), ("message", ctypes.c_char * 1024)]


def retort_side(scratch):
    library, error = ctypes.CDLL(str(next(Path("build/lib").glob("libretort.so.*.*.*")))), Error()
    library.retort_dim.restype = ctypes.c_size_t

    def call(function, *arguments):
        if function(*arguments, ctypes.byref(error)):
            raise SystemExit(error.message.decode())

    calls = {}
    for precision, value in precisions().items():
        model, options = ctypes.c_void_p(), Options(threads=THREADS, precision=value)
        call(library.retort_open, ctypes.byref(model), str(scratch / "model").encode(), ctypes.byref(options))
        dim = library.retort_dim(model)
        for work, of in read_texts(scratch).items():
            texts = [text.encode() for text in of["texts"]]
            size = 1 if work.startswith("latency") else len(texts)
            parts = [(ctypes.c_char_p * size)(*texts[at:at + size]) for at in range(0, len(texts), size)]

            def run(model=model, parts=parts, size=size, dim=dim):
                vectors = np.empty((len(parts), size * dim), np.float32)
                for part, row in zip(parts, vectors):
                    call(library.retort_embed, model, 0, part, ctypes.c_size_t(size),
                         row.ctypes.data_as(ctypes.c_void_p))
                return vectors

            calls[f"{precision}/{work}"] = run
    return calls


# ---- peers ----

def mean_model(folder, attention):
    import torch
    from transformers import AutoModel

    class Mean(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = AutoModel.from_pretrained(folder, attn_implementation=attention, dtype=torch.float32)

        def forward(self, input_ids, attention_mask):
            hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask[:, :, None].to(hidden.dtype)
            return torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)

    return Mean().eval()


def torch_side(scratch):
    import torch

    torch.set_num_threads(THREADS)
    calls = {}
    for attention in ("sdpa", "eager"):
        for precision, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16)):
            model = mean_model(scratch / "model", attention).to(dtype)
            for work, of in read_texts(scratch).items():
                batches = [tuple(map(torch.from_numpy, batch)) for batch in batches_of(work, of["ids"])]

                def run(model=model, batches=batches):
                    with torch.inference_mode():
                        return np.concatenate([model(*batch).float().numpy() for batch in batches])

                calls[f"{precision}-{attention}/{work}"] = run
    return calls


def export(scratch):
    """model.onnx; the same after ONNX Runtime's transformer optimiser; both with weights in 8 bits."""
    import torch
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.transformers.optimizer import optimize_model

    names = ["input_ids", "attention_mask"]
    example = tuple(map(torch.from_numpy, inputs.padded([[101] * 16, [101] * 12])))
    torch.onnx.export(mean_model(scratch / "model", "eager"), example, str(scratch / "model.onnx"), input_names=names,
                      output_names=["vectors"], dynamic_axes={name: {0: "batch", 1: "length"} for name in names},
                      dynamo=False)
    optimised = optimize_model(str(scratch / "model.onnx"), model_type="bert", num_heads=12, hidden_size=384)
    optimised.save_model_to_file(str(scratch / "optimised.onnx"))
    for name in ("model", "optimised"):
        quantize_dynamic(scratch / f"{name}.onnx", scratch / f"{name}-int8.onnx", weight_type=QuantType.QInt8,
                         per_channel=True, extra_options={"DefaultTensorType": TensorProto.FLOAT})


ONNX_FILES = {"f32-plain": "model", "f32-optimised": "optimised", "int8-plain": "model-int8",
              "int8-optimised": "optimised-int8"}


def onnxruntime_side(scratch):
    import onnxruntime

    options, calls = onnxruntime.SessionOptions(), {}
    options.intra_op_num_threads, options.inter_op_num_threads = THREADS, 1
    for name, file in ONNX_FILES.items():
        session = onnxruntime.InferenceSession(scratch / f"{file}.onnx", options, providers=["CPUExecutionProvider"])
        for work, of in read_texts(scratch).items():
            batches = [{"input_ids": ids, "attention_mask": mask} for ids, mask in batches_of(work, of["ids"])]

            def run(session=session, batches=batches):
                return np.concatenate([session.run(None, batch)[0] for batch in batches])

            calls[f"{name}/{work}"] = run
    return calls


# Precision, batches at once, and whether the shape is fixed beforehand.
OPENVINO = {f"{precision}-{name}": (precision, streams, name == "fixed-shape") for precision in ("f32", "bf16")
            for name, streams in (("1-stream", 1), ("2-streams", THREADS), ("fixed-shape", 1))}


def openvino_fits(setting, work):
    """Of what has one batch alone there is nothing to run at once; a fixed shape pays where little else is done."""
    _, streams, is_fixed = OPENVINO[setting]
    return work == "latency-16" if is_fixed else streams == 1 or work not in ("latency-16", "embed-512")


def openvino_side(scratch):
    import openvino

    core, calls = openvino.Core(), {}
    for setting, (precision, streams, is_fixed) in OPENVINO.items():
        config = {"PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT", "NUM_STREAMS": streams,
                  "INFERENCE_PRECISION_HINT": precision, "INFERENCE_NUM_THREADS": THREADS}
        model = core.read_model(scratch / "model.onnx")
        if is_fixed:
            model.reshape({name: (1, 16) for name in ("input_ids", "attention_mask")})
        compiled = core.compile_model(model, "CPU", config)
        for work, of in read_texts(scratch).items():
            if openvino_fits(setting, work):
                calls[f"{setting}/{work}"] = openvino_run(openvino, compiled, batches_of(work, of["ids"]), streams)
    return calls


def openvino_run(openvino, compiled, batches, streams):
    """One stream: one batch after the other.  More: so many batches at once."""
    request = compiled.create_infer_request()

    def one_by_one():
        return np.concatenate([request.infer(list(batch))[0].copy() for batch in batches])

    if streams == 1:
        return one_by_one
    queue, out = openvino.AsyncInferQueue(compiled, streams), [None] * len(batches)

    def keep(done, at):
        out[at] = done.get_output_tensor(0).data.copy()

    queue.set_callback(keep)

    def together():
        for at, batch in enumerate(batches):
            queue.start_async(list(batch), at)
        queue.wait_all()
        return np.concatenate(out)

    return together


SIDES = {"retort": retort_side, "PyTorch": torch_side, "ONNX-Runtime": onnxruntime_side, "OpenVINO": openvino_side}


# ---- the part ----

def settings_of(system):
    """Names before the "/", as the side has them."""
    if system == "retort":
        return list(precisions())
    if system == "PyTorch":
        return ["f32-sdpa", "f32-eager", "bf16-sdpa", "bf16-eager"]
    return list(ONNX_FILES if system == "ONNX-Runtime" else OPENVINO)


def entries(scratch, command):
    make_texts(scratch)
    if not (scratch / "optimised-int8.onnx").exists():
        command("export")
    sides = {system: Side([sys.executable, __file__, system, scratch], scratch / f"encode-{system}.log")
             for system in SIDES}
    out = []
    for work, (count, _, _) in WORKS.items():
        for system, side in sides.items():
            for setting in settings_of(system):
                if system == "OpenVINO" and not openvino_fits(setting, work):
                    continue
                precision, _, detail = setting.partition("-")
                out.append(Entry(work, system, precision, detail, side, f"{setting}/{work}", count, "texts/s"))
    return out


def check(scratch, found):
    for work, results in found.items():
        vectors = {id(entry): np.fromfile(path, np.float32).reshape(WORKS[work][0], -1) for entry, path in results}
        expected = next(vectors[id(e)] for e, _ in results if e.system == "PyTorch" and e.precision == "f32")
        for entry, _ in results:
            cosine = float((vectors[id(entry)] * expected).sum(1).min())
            least = LEAST_COSINE_OF_PYTORCH if entry.system == "PyTorch" else LEAST_COSINE
            entry.agrees(cosine >= least[entry.precision], f"cosines from {cosine:.5f}")


if __name__ == "__main__":
    name, scratch = sys.argv[1], Path(sys.argv[2])
    if name == "export":
        export(scratch)
    else:
        serve(SIDES[name](scratch), lambda vectors, path: vectors.tofile(path))
