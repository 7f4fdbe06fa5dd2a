"""The part of Dataverse that Customer Insights fills."""
