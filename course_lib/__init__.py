"""The tested core of a course in image generation. Each lecture imports from "its" module."""
