"""OData, as far as both services understand it: options, filters and pages."""
