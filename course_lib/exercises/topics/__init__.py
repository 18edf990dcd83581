"""The exercises of each lecture: references, hints, classic mistakes, probes."""
