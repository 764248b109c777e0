"""What is learned beyond sums: functions of the views, the settings and a seed."""
