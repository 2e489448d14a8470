"""DICOM references made with pydicom and Pillow: `python3 dicom.golden.py DATA_FOLDER`.

Writes dicom.golden.json (SHA-256 of every real file's whole pixel matrix) and, in fixtures/, tiny slides of the kinds
for which no real file is at hand: TILED_SPARSE, a concatenation, RLE, an extended offset table, frames in several
fragments without any offset table. All fixtures show the same image, so that they check each other.
"""
import hashlib
import io
import json
import os
import sys

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate, generate_pixel_data_frame
from pydicom.pixel_data_handlers.rle_handler import rle_encode_frame
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, JPEGBaseline8Bit, RLELossless

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(sys.argv[1], "slides")
REAL = [
    "dicom/camelyon_multiframe_jpeg2000.dcm",
    "dicom/highdicom_sm_image.dcm",
    "dicom/wsi2dcm_jpeg.dcm",
    "dicom/wsi2dcm_raw.dcm",
    "openslide-fixtures/boxes_0.dcm",
]
TILE = 16
WIDTH, HEIGHT = 40, 24


def frames_of(data):
    rows, columns = data.Rows, data.Columns
    if data.file_meta.TransferSyntaxUID.is_encapsulated:
        for frame in generate_pixel_data_frame(data.PixelData, int(data.NumberOfFrames)):
            if data.PhotometricInterpretation == "RGB" and frame[:2] == b"\xff\xd8":
                # Pillow, like libjpeg, needs to be told that three unmarked components are RGB.
                if b"Adobe" not in frame[:64]:
                    marker = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
                    frame = frame[:2] + marker + frame[2:]
            yield np.asarray(Image.open(io.BytesIO(frame)).convert("RGB"))
    else:
        pixels = np.frombuffer(data.PixelData, np.uint8)[: int(data.NumberOfFrames) * rows * columns * 3]
        yield from pixels.reshape(-1, rows, columns, 3)


def matrix(data):
    columns = -(-data.TotalPixelMatrixColumns // data.Columns)
    rows = -(-data.TotalPixelMatrixRows // data.Rows)
    whole = np.zeros((rows * data.Rows, columns * data.Columns, 3), np.uint8)
    for index, frame in enumerate(frames_of(data)):
        y, x = (index // columns) * data.Rows, (index % columns) * data.Columns
        whole[y : y + data.Rows, x : x + data.Columns] = frame
    return whole[: data.TotalPixelMatrixRows, : data.TotalPixelMatrixColumns]


def picture():
    """The pixels every fixture shows: x, y and a mix of both in the three channels."""
    y, x = np.mgrid[0:32, 0:48]
    return np.stack([x * 5 & 255, y * 7 & 255, (x * 3 + y * 11) & 255], -1).astype(np.uint8)


def tiles():
    whole = picture()
    for y in range(0, 32, TILE):
        for x in range(0, 48, TILE):
            yield x, y, np.ascontiguousarray(whole[y : y + TILE, x : x + TILE])


def base(syntax, series):
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.77.1.6"
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPInstanceUID = "1.2.3.4.%s" % series
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID = meta.MediaStorageSOPClassUID
    data.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    data.SeriesInstanceUID = "1.2.3.%s" % series
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.Rows = data.Columns = TILE
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = WIDTH, HEIGHT
    data.DimensionOrganizationType = "TILED_FULL"
    data.NumberOfFrames = 6
    measures = Dataset()
    measures.PixelSpacing = [0.0005, 0.00025]
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([measures])
    data.SharedFunctionalGroupsSequence = Sequence([shared])
    return data


def save(data, name):
    data.is_little_endian, data.is_implicit_VR = True, False
    data.save_as(os.path.join(HERE, "fixtures", name), write_like_original=False)


def place(x, y):
    spot = Dataset()
    spot.ColumnPositionInTotalImagePixelMatrix, spot.RowPositionInTotalImagePixelMatrix = x + 1, y + 1
    group = Dataset()
    group.PlanePositionSlideSequence = Sequence([spot])
    return group


def write_fixtures():
    os.makedirs(os.path.join(HERE, "fixtures"), exist_ok=True)
    raw = [pixels.tobytes() for _x, _y, pixels in tiles()]

    sparse = base(ExplicitVRLittleEndian, 1)
    sparse.DimensionOrganizationType = "TILED_SPARSE"
    kept = [5, 0, 3, 1]  # tiles 2 and 4 are not stored; the order is not the raster's
    spots = list(tiles())
    sparse.NumberOfFrames = len(kept)
    sparse.PerFrameFunctionalGroupsSequence = Sequence([place(*spots[index][:2]) for index in kept])
    sparse.PixelData = b"".join(raw[index] for index in kept)
    save(sparse, "sparse.dcm")

    for part, (start, end) in enumerate([(0, 4), (4, 6)]):
        data = base(ExplicitVRLittleEndian, 2)
        data.ConcatenationUID = "1.2.3.2.9"
        data.InConcatenationNumber = part + 1
        data.ConcatenationFrameOffsetNumber = start
        data.NumberOfFrames = end - start
        data.PixelData = b"".join(raw[start:end])
        save(data, "concatenation_%d.dcm" % part)

    rle = base(RLELossless, 3)
    rle.PixelData = encapsulate([rle_encode_frame(pixels) for _x, _y, pixels in tiles()])
    rle["PixelData"].is_undefined_length = True
    save(rle, "rle.dcm")

    planar = base(ExplicitVRLittleEndian, 4)
    planar.PlanarConfiguration = 1
    planar.PixelData = b"".join(np.ascontiguousarray(p.transpose(2, 0, 1)).tobytes() for _x, _y, p in tiles())
    save(planar, "planar.dcm")

    jpegs = []
    for _x, _y, pixels in tiles():
        out = io.BytesIO()
        Image.fromarray(pixels).save(out, "JPEG", quality=95, subsampling=0)
        jpegs.append(out.getvalue() + b"\0" * (len(out.getvalue()) % 2))

    extended = base(JPEGBaseline8Bit, 5)
    extended.PhotometricInterpretation = "YBR_FULL_422"
    offsets = np.cumsum([0] + [len(jpeg) + 8 for jpeg in jpegs[:-1]]).astype("<u8")
    extended.ExtendedOffsetTable = offsets.tobytes()
    extended.ExtendedOffsetTableLengths = np.array([len(jpeg) for jpeg in jpegs], "<u8").tobytes()
    extended.PixelData = encapsulate(jpegs, has_bot=False)
    extended["PixelData"].is_undefined_length = True
    save(extended, "extended-offsets.dcm")

    pieces = base(JPEGBaseline8Bit, 6)
    pieces.PhotometricInterpretation = "YBR_FULL_422"
    pieces.PixelData = encapsulate(jpegs, fragments_per_frame=3, has_bot=False)
    pieces["PixelData"].is_undefined_length = True
    save(pieces, "fragments.dcm")
    decoded = np.zeros((32, 48, 3), np.uint8)
    for (x, y, _pixels), jpeg in zip(tiles(), jpegs):
        decoded[y : y + TILE, x : x + TILE] = np.asarray(Image.open(io.BytesIO(jpeg)))
    return decoded[:HEIGHT, :WIDTH]


def sha(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def main():
    golden = {"real": {}, "fixtures": {}}
    for name in REAL:
        data = pydicom.dcmread(os.path.join(DATA, name))
        golden["real"][name] = {
            "width": int(data.TotalPixelMatrixColumns),
            "height": int(data.TotalPixelMatrixRows),
            "sha256": sha(matrix(data)),
        }
    jpeg = write_fixtures()
    golden["fixtures"] = {"exact": sha(picture()[:HEIGHT, :WIDTH]), "jpeg": sha(jpeg)}
    with open(os.path.join(HERE, "dicom.golden.json"), "w") as out:
        json.dump(golden, out, indent=1)
        out.write("\n")


main()
