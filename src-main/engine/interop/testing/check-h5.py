"""Prints what h5py finds in HDF5 files, a line of JSON each: check-h5.py FOLDER FILE..."""
import json
import pathlib
import sys

import h5py
import numpy as np


def plain(value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


folder = pathlib.Path(sys.argv[1])
for name in sys.argv[2:]:
    with h5py.File(folder / name, "r") as file:
        found = {}
        for key, data in file.items():
            found[key] = {
                "dtype": str(data.dtype), "shape": data.shape, "chunks": data.chunks, "maxshape": data.maxshape,
                "attrs": {attr: plain(value) for attr, value in data.attrs.items()},
            }
            found[key].update({"values": data[:].tolist()} if key == "coords" else {"sum": float(data[:].sum())})
        print(json.dumps(found))
