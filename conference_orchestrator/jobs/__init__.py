"""Do later: which flow a task wakes, who runs it, and the timetable of what is due."""
