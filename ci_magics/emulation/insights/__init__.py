"""Customer Insights: instances, segments, entities, members, jobs and schedules."""
