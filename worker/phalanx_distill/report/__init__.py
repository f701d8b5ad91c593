"""What a run leaves for people.

    document             report.json
    verdict, headline    what to think of it, in sentences
    sections/, charts/   the page's parts as blocks of text, tables and drawings
    page, templates/     from blocks to HTML
    table, artifact      what terminals show

The page is one file that loads nothing and runs nothing, and holds texts only where they were asked for.
"""
