"""The product itself: one file that needs nothing, and is small."""

import os
import re
import subprocess

import pytest

pytestmark = pytest.mark.release_only

MOST_BYTES = 2_500_000


def test_it_needs_no_shared_library_and_no_loader(trainit):
    headers = subprocess.run(["readelf", "--dynamic", "--program-headers", trainit], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert "NEEDED" not in headers
    assert "INTERP" not in headers
    assert re.search(r"Elf file type is (EXEC|DYN)", headers)


def test_it_is_small(trainit):
    assert os.path.getsize(trainit) <= MOST_BYTES


def test_it_has_no_symbols_left_to_strip(trainit):
    sections = subprocess.run(["readelf", "--sections", "--wide", trainit], check=True, text=True, stdout=subprocess.PIPE).stdout
    assert ".text" in sections and ".symtab" not in sections
