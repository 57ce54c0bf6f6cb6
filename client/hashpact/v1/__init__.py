"""The wire: code generated from ``proto/hashpact/v1`` by ``make generate``; never edited by hand."""
