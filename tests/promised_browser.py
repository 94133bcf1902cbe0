"""Promises of the browser; see `contract.py`."""

from tests.contract import promises

BROWSER = promises(
    "§8.8; docs/browser.md",
    """
    browser.steps               Each step in a browser is an item, with a picture of what it has led to.
    browser.acts                Models navigate, read, click, type, choose, scroll, wait and turn to other pages.
    browser.pictures            A model that asks for it is shown a picture of the page.
    browser.fenced              What pages say is told as data: it ends no fence and passes for no reference.
    browser.long_pages          A long page is told in parts, and texts are found in it.
    browser.failures            What cannot be done is told in one line, and the next step works.
    browser.quick               A step in an open browser takes a fraction of a second.
    computer.server             A computer whose executor is the server is a browser: calls, pictures, their files.
    computer.actions            All actions of the API are done, in their order, also several in a call.
    computer.continued          The next response goes on at the same screen, also with a history the client keeps.
    computer.failures           An action that cannot be done is told, and the next one works.
    computer.streamed           Calls and their screenshots are added and done.
    computer.declared           A computer that cannot be executed here names its place.
    browser.kept                A conversation keeps its browser from response to response, and no other sees it.
    browser.shut_in             No page reaches this machine, its network, or a file.
    browser.crashes             When a browser dies the model is told, and the next step begins in a fresh one.
    browser.stuck               A page that never answers, or opens others without end, does not take the browser away.
    browser.downloads           What a page hands over becomes a file of the caller's, or of the run's container.
    browser.limits              Browsers are closed when they are idle, and there are never too many.
    browser.no_orphans          A server that is killed leaves no browser behind.
    browser.refused             Where there can be no browser a request is refused with what helps.
    browser.declared            A declared browser is echoed with its defaults, and refused with what it does not take.
    browser.connector           `connector_browser` is the browser as an MCP server that any SDK can ask for.
    browser.approvals           Steps wait for a yes as calls of servers do, and no label evades the operator's rules.
    browser.events              A step is streamed as a call of a server is, failed ones too.
    browser.cancelled           Who cancels a response stops the step it is in.
    browser.sdk                 openai-agents and the SDKs of Node drive the browser through the connector.
    """,
)
