"""The papers' tables and figures, each from one definition: our numbers beside the printed ones."""
