"""Feature and patch files as TRIDENT and CLAM write them, made by h5py: python3 reference-h5.golden.py (needs h5py)."""
import pathlib

import h5py
import numpy as np

here = pathlib.Path(__file__).parent
coords = np.array([[0, 0], [449, 0], [898, 449], [100000, 80001]], dtype=np.int64)
features = (np.arange(12).reshape(4, 3) / 7 - 0.5).astype(np.float32)
trident = {
    "patch_size": 256, "patch_size_level0": 512, "level0_magnification": 40, "target_magnification": 20, "overlap": 0,
    "name": "TCGA-é", "savetodir": "None", "level0_width": 100352, "level0_height": 80896,
}
clam = {
    "patch_size": 256, "patch_level": 1, "downsample": np.array([4.0, 4.0]), "downsampled_level_dim": np.array([25088, 20224]),
    "level_dim": np.array([25088, 20224]), "name": "slide_1", "save_path": "patches",
}


def growing(file, name, values, attributes):
    data = file.create_dataset(name, shape=values.shape, maxshape=(None,) + values.shape[1:], chunks=(1,) + values.shape[1:], dtype=values.dtype)
    data[:] = values
    for key, value in attributes.items():
        data.attrs[key] = value


with h5py.File(here / "trident.golden.h5", "w") as file:
    growing(file, "features", features, {"name": "TCGA-é", "savetodir": "None", "encoder": "uni_v1"})
    growing(file, "coords", coords, trident)
with h5py.File(here / "trident-half.golden.h5", "w") as file:
    file.create_dataset("features", data=features.astype(np.float16), compression="gzip")
    growing(file, "coords", coords, trident)
with h5py.File(here / "trident-empty.golden.h5", "w") as file:
    file.create_dataset("features", data=np.zeros((0,), np.float32))
    file.create_dataset("coords", data=np.zeros((0, 2), np.int64))
with h5py.File(here / "clam-patches.golden.h5", "w") as file:
    growing(file, "coords", coords, clam)
with h5py.File(here / "clam.golden.h5", "w") as file:
    growing(file, "features", features, {})
    growing(file, "coords", coords.astype(np.int32), {})
