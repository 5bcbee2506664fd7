"""Comments on pull and merge requests, through the APIs of GitHub and GitLab."""
