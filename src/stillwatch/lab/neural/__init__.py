"""Students and teachers that are trained with torch; nothing here is imported before it is used."""
