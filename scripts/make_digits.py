"""Makes datasets/digits/digits.csv.gz from the copy of the data that the scikit-learn package carries.

Each line: 64 pixels (8 x 8, row by row, 0 to 16), then the label. The gzip header carries no time and no name, so the
same zlib gives the same bytes; the checksum that counts is that of the uncompressed text.

    python scripts/make_digits.py            write the file
    python scripts/make_digits.py --check    only compare the file that is there
"""

import gzip
import hashlib
import io
import sys
from pathlib import Path

OUTPUT = Path(__file__).resolve().parent.parent / "datasets" / "digits" / "digits.csv.gz"
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"


def text_from_sklearn() -> bytes:
    """The data as text: one example per line, whole numbers separated by commas."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    lines = []
    for pixels, label in zip(digits.data, digits.target):
        lines.append(",".join(str(int(value)) for value in [*pixels, label]))
    return ("\n".join(lines) + "\n").encode("ascii")


def check(text: bytes, source: str) -> None:
    found = hashlib.sha256(text).hexdigest()
    if found != SHA256:
        sys.exit(f"{source}: sha256 of the uncompressed text is {found}, expected {SHA256}")


def main() -> None:
    if sys.argv[1:] == ["--check"]:
        check(gzip.decompress(OUTPUT.read_bytes()), str(OUTPUT))
        print(f"{OUTPUT.name}: as expected")
        return
    if sys.argv[1:]:
        sys.exit(f"unknown argument {sys.argv[1]!r}: expected nothing or --check")
    text = text_from_sklearn()
    check(text, "scikit-learn's load_digits")
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=buffer, mtime=0) as file:
        file.write(text)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    OUTPUT.write_bytes(buffer.getvalue())
    print(f"wrote {OUTPUT.name}: {len(buffer.getvalue())} bytes, {text.count(10)} examples")


if __name__ == "__main__":
    main()
