#!/usr/bin/env python3
"""Names regular files and folders of this machine that make a tree of at least FILES files and BYTES bytes.

usage: pick_tree.py FILES BYTES     (paths relative to /, each ended by a NUL)

Whole folders of /usr/share first, in order, until there are enough files; then only larger files, from further folders
too, until there are enough bytes. Links and special files are left out, and so are names that are not UTF-8.
"""
import os
import stat
import sys

ROOTS = ("/usr/share", "/usr/lib", "/usr/include", "/usr/bin", "/usr/local")
LARGE = 256 * 1024


def walk(root):
    """(path, size) of every readable file, (path, None) of every folder, in a fixed order."""
    for place, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not os.path.islink(os.path.join(place, name)))
        yield place, None
        for name in sorted(files):
            path = os.path.join(place, name)
            info = os.lstat(path)
            if stat.S_ISREG(info.st_mode) and os.access(path, os.R_OK):
                yield path, info.st_size


def main():
    want_files, want_bytes = int(sys.argv[1]), int(sys.argv[2])
    files = size = 0
    for root in filter(os.path.isdir, ROOTS):
        for path, length in walk(root):
            try:
                name = path.encode("utf-8")
            except UnicodeEncodeError:
                continue
            if length is None:
                wanted = files < want_files
            else:
                wanted = files < want_files or (length >= LARGE and size < want_bytes)
            if wanted:
                sys.stdout.buffer.write(name[1:] + b"\0")
                files, size = files + (length is not None), size + (length or 0)
    if files < want_files or size < want_bytes:
        sys.exit(f"this machine has only {files} files, {size} bytes below {', '.join(ROOTS)}")


main()
