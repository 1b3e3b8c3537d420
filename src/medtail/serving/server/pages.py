"""The page that describes the routes, from the OpenAPI description alone: it loads nothing."""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ api.info.title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #1b1f24; }
code, pre { font: 14px/1.45 ui-monospace, monospace; background: #f3f5f7; }
code { padding: .1em .3em; } pre { padding: .8rem; overflow-x: auto; }
h2 { margin-top: 2rem; } td { padding: .15rem 1rem .15rem 0; vertical-align: top; }
</style>
</head>
<body>
<h1>{{ api.info.title }} {{ api.info.version }}</h1>
<p>The <a href="openapi.json">OpenAPI description</a> of these routes is for programs.
The model is for research; it is not a medical device.</p>
{% for path, methods in api.paths.items() %}{% for method, route in methods.items() %}
<h2><code>{{ method | upper }} {{ path }}</code></h2>
<p>{{ route.description }}</p>
{% if method == "post" %}
<pre>curl -F images=@first.png -F images=@second.dcm http://HOST:PORT{{ path }}</pre>
{% endif %}
<table>{% for status, answer in route.responses.items() %}
<tr><td><code>{{ status }}</code></td><td>{{ answer.description }}</td></tr>{% endfor %}
</table>
{% endfor %}{% endfor %}
</body>
</html>
"""


def described(api: Mapping[str, Any]) -> str:
    """Return a page on every route of an OpenAPI description."""
    return Environment(autoescape=True).from_string(_PAGE).render(api=api)
