"""What authors need beside the page: tables, a paragraph on methods, reporting items, a model card."""
