"""What the JSON API answers with: one type per answer, from which its schema comes too."""
