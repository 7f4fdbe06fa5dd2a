"""HTTP clients for Microsoft's services: sign-in, Microsoft Advertising, bulk uploads, Customer Insights, Dataverse."""
