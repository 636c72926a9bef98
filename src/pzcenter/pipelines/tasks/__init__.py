"""PipelineTasks: thin frames of the middleware around functions of the rooms below."""
