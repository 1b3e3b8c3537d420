"""The parts of a report, one idea per file: each a function from the evidence to a section, or to None."""
