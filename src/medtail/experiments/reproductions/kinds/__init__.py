"""The kinds of tables and figures that can be reproduced."""
