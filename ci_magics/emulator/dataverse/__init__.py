"""Dataverse, as far as Customer Insights fills it."""
