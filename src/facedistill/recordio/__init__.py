"""RecordIO, the field's own format for a face set: `train.rec`, `train.idx` and `property`.

A record on disk is one or more parts, each `magic, (3-bit continuation flag | 29-bit length), payload padded to 4`
(dmlc-core's recordio). Its joined payload is an image record: IRHeader `IfQQ` (flag, label, id, id2), then `flag`
float labels, then the encoded picture. In insightface's sets record 0 is an index header: two labels, the end of the
image records (which begin at 1) and the end of the identity records behind them; each identity record holds the
[first, last) keys of one person's images.
"""

from facedistill.recordio.layout import INDEX, PROPERTY, RECORDS
from facedistill.recordio.reader import RecordFile, find_records
from facedistill.recordio.writer import Label, write_records

__all__ = ["INDEX", "PROPERTY", "RECORDS", "Label", "RecordFile", "find_records", "write_records"]
