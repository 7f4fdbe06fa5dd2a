"""Microsoft Advertising: Customer Match lists, their members, and the Bulk service."""
