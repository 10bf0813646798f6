"""A page of a run, handed out by a server on the same machine that its script may talk to."""

from components.common.pages import page

MARK = '<meta name="review">'  # by which a script knows that there is a server


def with_server(html: str, module: str) -> tuple[str, str] | None:
    """The page as a server hands it out, and the policy that the server sends with it.

    Nothing runs on it but the script that lies beside the module now.

    Args:
        html: as `page.render` made it of the module, with its script.
        module: the module's file.

    Returns:
        None where the page has another style or script: another version of the program made it.
    """
    if page.policy(html) != page.policy_for(module):
        return None
    allowed = page.policy_for(module, connect="'self'")
    stated = f'content="{page.policy(html)}">'
    return html.replace(stated, f'content="{allowed}">\n{MARK}', 1), allowed
