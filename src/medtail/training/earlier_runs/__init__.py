"""What a training takes from a run that came before: a first stage, a teacher."""
