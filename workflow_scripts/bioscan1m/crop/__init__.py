"""From photographs to boxes, and from boxes to crops."""
