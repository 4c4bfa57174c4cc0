"""Makes src/show/fonts/hangul.ttf.gz: the Hangul of Nanum Gothic for the pictures of Sori.

    pip install fonttools==4.68.0
    python korean_font.py NanumGothic.ttf hangul.ttf.gz

NanumGothic.ttf is the one of Debian's package fonts-nanum 20200506-1. The subset has all 11,172 syllables and the
compatibility jamo, without hinting and layout tables, on a grid of 256 units instead of 1000. Its name is another, as
the licence of the font asks of modified versions.
"""

import gzip
import io
import sys

from fontTools import subset
from fontTools.ttLib.scaleUpem import scale_upem

source, target = sys.argv[1:]
options = subset.Options(
    hinting=False, layout_features=[], name_IDs=[0, 1, 2, 4, 6, 13, 14], name_languages=[0x409],
    glyph_names=False, notdef_outline=True,
)
options.drop_tables += ["GSUB", "GPOS", "GDEF", "DSIG", "vhea", "vmtx", "kern"] + [f"TSI{i}" for i in "01235"]
font = subset.load_font(source, options)
subsetter = subset.Subsetter(options)
subsetter.populate(unicodes=[*range(0xAC00, 0xD7A4), *range(0x3131, 0x318F)])
subsetter.subset(font)
scale_upem(font, 256)
for record in font["name"].names:
    if record.nameID in (1, 4):
        record.string = "Sori Hangul"
    if record.nameID == 6:
        record.string = "SoriHangul"
font["head"].modified = font["head"].created
font.recalcTimestamp = False
whole = io.BytesIO()
font.save(whole)
with open(target, "wb") as out:
    out.write(gzip.compress(whole.getvalue(), 9, mtime=0))
