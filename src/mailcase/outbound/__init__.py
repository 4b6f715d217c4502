"""Mail goes out: templates, finished bytes, and the relay that takes them."""
