"""What the reader and the writer of records must agree on."""

import struct

RECORDS, INDEX, PROPERTY = "train.rec", "train.idx", "property"  # as we write them
RECORDS_SUFFIX, INDEX_SUFFIX = ".rec", ".idx"

MAGIC = struct.pack("<I", 0xCED7230A)
PART = struct.Struct("<4sI")
IMAGE_HEADER = struct.Struct("<IfQQ")
WHOLE, FIRST, MIDDLE, LAST = range(4)
LENGTH_BITS = 29
