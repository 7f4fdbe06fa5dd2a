"""Turn a customer DataFrame into a Microsoft Advertising Customer Match audience."""

__version__ = "0.1.0"
