"""Loss, optimisers, stopping, restarts and callbacks."""
