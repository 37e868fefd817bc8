"""What web pages share: layout, components, forms, charts, translations, static files, security. Imports nothing of ours."""
