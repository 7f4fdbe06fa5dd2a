"""Test which normalization Microsoft matches better: send one segment to two audiences and compare their sizes."""
