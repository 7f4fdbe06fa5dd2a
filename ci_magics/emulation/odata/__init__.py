"""The OData subset of both services: options, filters and pages."""
