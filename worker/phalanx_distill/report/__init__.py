"""What a run leaves for people: report.json, the page made of it, and the table at the end.

document    report.json
verdict, headline    what to think of it, in sentences
sections/   the parts of the page as blocks of text, tables and figures; charts/ draws the figures
page        blocks and templates/ to HTML
table, artifact      what terminals show
"""
