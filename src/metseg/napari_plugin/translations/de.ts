<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE">
<context>
    <name>studio</name>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
    </message>
    <message>
        <source>Stop. What is done stays.</source>
        <translation>Anhalten. Was fertig ist, bleibt.</translation>
    </message>
    <message>
        <source>Show axial slices (2D) to use this tool.</source>
        <translation>Zeigen Sie axiale Schichten (2D) für dieses Werkzeug.</translation>
    </message>
    <message>
        <source>Click into the part that keeps the number. Escape: leave it whole.</source>
        <translation>Klicken Sie in den Teil, der die Nummer behält. Escape: ganz lassen.</translation>
    </message>
    <message>
        <source>There is no lesion here; click into the lesion that is to be split.</source>
        <translation>Hier ist keine Läsion; klicken Sie in die, die geteilt werden soll.</translation>
    </message>
    <message>
        <source>Now click into the part that is to be another lesion.</source>
        <translation>Klicken Sie nun in den Teil, der eine andere Läsion sein soll.</translation>
    </message>
    <message>
        <source>Drag from one place to another to measure between them.</source>
        <translation>Ziehen Sie von einem Ort zum anderen, um zu messen.</translation>
    </message>
    <message>
        <source>cannot be opened</source>
        <translation>nicht zu öffnen</translation>
    </message>
    <message>
        <source>not predicted</source>
        <translation>nicht vorhergesagt</translation>
    </message>
    <message>
        <source>nothing left</source>
        <translation>nichts mehr offen</translation>
    </message>
    <message>
        <source>1 slice</source>
        <translation>1 Schicht</translation>
    </message>
    <message>
        <source>{count} slices</source>
        <translation>{count} Schichten</translation>
    </message>
    <message>
        <source>&lt;slice&gt;.tif with &lt;slice&gt;_mask.tif: what metseg train reads.</source>
        <translation>&lt;Schicht&gt;.tif mit &lt;Schicht&gt;_mask.tif: was metseg train liest.</translation>
    </message>
    <message>
        <source>A data set for nnU-Net v2, with its folds by patient.</source>
        <translation>Ein Datensatz für nnU-Net v2, nach Patienten geteilt.</translation>
    </message>
    <message>
        <source>Volumes named as in BIDS derivatives, with sidecars.</source>
        <translation>Volumen, benannt wie in BIDS, mit Begleitdateien.</translation>
    </message>
    <message>
        <source>Slices as TIFF, lesions as run-length encoded masks.</source>
        <translation>Schichten als TIFF, Läsionen als lauflängenkodierte Masken.</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Export</translation>
    </message>
    <message>
        <source>Each case is a patient</source>
        <translation>Jeder Fall ist ein Patient</translation>
    </message>
    <message>
        <source>Name up to the last _</source>
        <translation>Name bis zum letzten _</translation>
    </message>
    <message>
        <source>a_b_2019 and a_b_2021 are of the patient a_b</source>
        <translation>a_b_2019 und a_b_2021 sind vom Patienten a_b</translation>
    </message>
    <message>
        <source>Whom a case is of: no patient is both in training and held out.</source>
        <translation>Von wem ein Fall ist: kein Patient ist zugleich im Training und zurückgehalten.</translation>
    </message>
    <message>
        <source> % of patients</source>
        <translation> % der Patienten</translation>
    </message>
    <message>
        <source>Kept for testing. Who is held out stays so as the project grows.</source>
        <translation>Zum Prüfen zurückgehalten. Wer es ist, bleibt es, wenn das Projekt wächst.</translation>
    </message>
    <message>
        <source>of the data, for the card</source>
        <translation>der Daten, für die Beschreibung</translation>
    </message>
    <message>
        <source>Export …</source>
        <translation>Exportieren …</translation>
    </message>
    <message>
        <source>Verify …</source>
        <translation>Prüfen …</translation>
    </message>
    <message>
        <source>Hash every file of an export again and name what differs.</source>
        <translation>Jede Datei eines Exports neu prüfen und nennen, was abweicht.</translation>
    </message>
    <message>
        <source>Import as new …</source>
        <translation>Als neues importieren …</translation>
    </message>
    <message>
        <source>Make a project of an export, and go on with it.</source>
        <translation>Aus einem Export ein Projekt machen und damit weiterarbeiten.</translation>
    </message>
    <message>
        <source>Import into this …</source>
        <translation>In dieses importieren …</translation>
    </message>
    <message>
        <source>Open the folder</source>
        <translation>Ordner öffnen</translation>
    </message>
    <message>
        <source>Show the files.</source>
        <translation>Die Dateien zeigen.</translation>
    </message>
    <message>
        <source>Layouts</source>
        <translation>Formate</translation>
    </message>
    <message>
        <source>Cases</source>
        <translation>Fälle</translation>
    </message>
    <message>
        <source>Patients</source>
        <translation>Patienten</translation>
    </message>
    <message>
        <source>Held out</source>
        <translation>Zurückgehalten</translation>
    </message>
    <message>
        <source>Licence</source>
        <translation>Lizenz</translation>
    </message>
    <message>
        <source>Export to</source>
        <translation>Exportieren nach</translation>
    </message>
    <message>
        <source>An export, or a folder with exports</source>
        <translation>Ein Export, oder ein Ordner mit Exporten</translation>
    </message>
    <message>
        <source>The export to take back</source>
        <translation>Der Export, der zurückgeholt wird</translation>
    </message>
    <message>
        <source>A new, empty folder for the project</source>
        <translation>Neuer, leerer Ordner für das Projekt</translation>
    </message>
    <message>
        <source>Approved only</source>
        <translation>Nur freigegebene</translation>
    </message>
    <message>
        <source>Approved and corrected</source>
        <translation>Freigegebene und korrigierte</translation>
    </message>
    <message>
        <source>All but untouched and rejected</source>
        <translation>Alle außer unberührten und abgelehnten</translation>
    </message>
    <message>
        <source>Images, masks, and a manifest that says where each mask comes from.</source>
        <translation>Bilder, Masken und ein Verzeichnis, das sagt, woher jede Maske kommt.</translation>
    </message>
    <message>
        <source>Take an export back. Cases with other labels here are left alone; the open case is closed first.</source>
        <translation>Einen Export zurückholen. Fälle mit anderen Labels bleiben, wie sie sind; der offene Fall wird zuerst geschlossen.</translation>
    </message>
    <message>
        <source>Open a project first.</source>
        <translation>Öffnen Sie zuerst ein Projekt.</translation>
    </message>
    <message>
        <source>Wait for the current work to end.</source>
        <translation>Warten Sie, bis die laufende Arbeit fertig ist.</translation>
    </message>
    <message>
        <source>Choose a layout first.</source>
        <translation>Wählen Sie zuerst ein Format.</translation>
    </message>
    <message>
        <source>No case is ready: approve some first.</source>
        <translation>Kein Fall ist bereit: geben Sie zuerst einige frei.</translation>
    </message>
    <message>
        <source>First steps</source>
        <translation>Erste Schritte</translation>
    </message>
    <message>
        <source>Choose a folder of images, then a new, empty one for the project.</source>
        <translation>Erst einen Ordner mit Bildern wählen, dann einen neuen, leeren für das Projekt.</translation>
    </message>
    <message>
        <source>Open …</source>
        <translation>Öffnen …</translation>
    </message>
    <message>
        <source>Open the folder of a project.</source>
        <translation>Den Ordner eines Projekts öffnen.</translation>
    </message>
    <message>
        <source>Open the first case</source>
        <translation>Ersten Fall öffnen</translation>
    </message>
    <message>
        <source>Open the case that is worth most.</source>
        <translation>Den Fall öffnen, bei dem am meisten zu gewinnen ist.</translation>
    </message>
    <message>
        <source>New project …</source>
        <translation>Neues Projekt …</translation>
    </message>
    <message>
        <source>Another project …</source>
        <translation>Anderes Projekt …</translation>
    </message>
    <message>
        <source>Predict this case</source>
        <translation>Diesen Fall vorhersagen</translation>
    </message>
    <message>
        <source>Predict {count} cases</source>
        <translation>{count} Fälle vorhersagen</translation>
    </message>
    <message>
        <source>Predict all cases</source>
        <translation>Alle Fälle vorhersagen</translation>
    </message>
    <message>
        <source>Let the network outline the lesions; corrections come after.</source>
        <translation>Das Netz umreißt die Läsionen; korrigiert wird danach.</translation>
    </message>
    <message>
        <source>No case waits for review.</source>
        <translation>Kein Fall wartet auf Prüfung.</translation>
    </message>
    <message>
        <source>The new network passed</source>
        <translation>Das neue Netzwerk hat bestanden</translation>
    </message>
    <message>
        <source>The new network did not pass</source>
        <translation>Das neue Netzwerk hat nicht bestanden</translation>
    </message>
    <message>
        <source>Nothing was decided</source>
        <translation>Nichts wurde entschieden</translation>
    </message>
    <message>
        <source>held-out
patient</source>
        <translation>zurückgeh.
Patient</translation>
    </message>
    <message>
        <source>Dice
before</source>
        <translation>Dice
vorher</translation>
    </message>
    <message>
        <source>Dice
now</source>
        <translation>Dice
jetzt</translation>
    </message>
    <message>
        <source>lesions
found</source>
        <translation>Läsionen
gefunden</translation>
    </message>
    <message>
        <source>false
lesions</source>
        <translation>falsche
Läsionen</translation>
    </message>
    <message>
        <source>all</source>
        <translation>alle</translation>
    </message>
    <message>
        <source>mean Dice, and sums</source>
        <translation>mittlerer Dice, und Summen</translation>
    </message>
    <message>
        <source>Draw only within</source>
        <translation>Nur zeichnen in</translation>
    </message>
    <message>
        <source>Brushes, napari's own too, draw only on intensities within this range of the image that the tools look at.</source>
        <translation>Pinsel, auch die von napari, zeichnen nur auf Intensitäten in diesem Bereich des Bildes, das die Werkzeuge betrachten.</translation>
    </message>
    <message>
        <source>slice before, next slice</source>
        <translation>vorige, nächste Schicht</translation>
    </message>
    <message>
        <source>brush</source>
        <translation>Pinsel</translation>
    </message>
    <message>
        <source>eraser</source>
        <translation>Radierer</translation>
    </message>
    <message>
        <source>polygon</source>
        <translation>Vieleck</translation>
    </message>
    <message>
        <source>fill</source>
        <translation>füllen</translation>
    </message>
    <message>
        <source>pick the lesion under the mouse</source>
        <translation>die Läsion unter der Maus wählen</translation>
    </message>
    <message>
        <source>move and zoom</source>
        <translation>verschieben und zoomen</translation>
    </message>
    <message>
        <source>move and zoom while held</source>
        <translation>verschieben und zoomen, solange gedrückt</translation>
    </message>
    <message>
        <source>swap lesion and background</source>
        <translation>Läsion und Hintergrund tauschen</translation>
    </message>
    <message>
        <source>leave other lesions as they are</source>
        <translation>andere Läsionen lassen, wie sie sind</translation>
    </message>
    <message>
        <source>show or hide the selected layer</source>
        <translation>die gewählte Ebene zeigen oder verbergen</translation>
    </message>
    <message>
        <source>undo</source>
        <translation>rückgängig</translation>
    </message>
    <message>
        <source>redo</source>
        <translation>wiederholen</translation>
    </message>
    <message>
        <source>slices, if that is chosen above; else zoom</source>
        <translation>Schichten, wenn oben gewählt; sonst Zoom</translation>
    </message>
    <message>
        <source>zoom, if the wheel turns slices; else slices</source>
        <translation>Zoom, wenn das Rad Schichten blättert; sonst Schichten</translation>
    </message>
    <message>
        <source>thinner or thicker brush</source>
        <translation>dünnerer oder dickerer Pinsel</translation>
    </message>
    <message>
        <source>brightness up and down, contrast left and right; not while napari's brush is chosen</source>
        <translation>Helligkeit auf und ab, Kontrast links und rechts; nicht mit naparis Pinsel</translation>
    </message>
    <message>
        <source>Click, then press another key. Esc: leave it. Backspace: as it was at first.</source>
        <translation>Klicken, dann eine andere Taste drücken. Esc: lassen. Rücktaste: wie am Anfang.</translation>
    </message>
    <message>
        <source>press a key …</source>
        <translation>Taste drücken …</translation>
    </message>
    <message>
        <source>Keys and mouse</source>
        <translation>Tasten und Maus</translation>
    </message>
    <message>
        <source>Search: a key, or what it does</source>
        <translation>Suche: eine Taste, oder was sie tut</translation>
    </message>
    <message>
        <source>The wheel turns slices</source>
        <translation>Das Rad blättert Schichten</translation>
    </message>
    <message>
        <source>While a case is open. The wheel zooms otherwise, as napari has it.</source>
        <translation>Solange ein Fall offen ist. Sonst zoomt das Rad, wie in napari.</translation>
    </message>
    <message>
        <source>The studio's: click on one to change it</source>
        <translation>Die des Studios: zum Ändern anklicken</translation>
    </message>
    <message>
        <source>Mouse</source>
        <translation>Maus</translation>
    </message>
    <message>
        <source>napari's own, see its preferences</source>
        <translation>Die von napari, siehe seine Einstellungen</translation>
    </message>
    <message>
        <source>Note on this case, kept with Return</source>
        <translation>Notiz zu diesem Fall, Eingabetaste speichert</translation>
    </message>
    <message>
        <source>Open or make a project; say who you are.</source>
        <translation>Projekt öffnen oder anlegen; Pseudonym angeben.</translation>
    </message>
    <message>
        <source>No project is open</source>
        <translation>Kein Projekt geöffnet</translation>
    </message>
    <message>
        <source>New …</source>
        <translation>Neu …</translation>
    </message>
    <message>
        <source>Make a project of a folder of images; they stay where they are.</source>
        <translation>Aus einem Ordner mit Bildern ein Projekt anlegen; die Bilder bleiben, wo sie sind.</translation>
    </message>
    <message>
        <source>Annotator: a pseudonym</source>
        <translation>Annotierende Person: Pseudonym</translation>
    </message>
    <message>
        <source>Written into the journal of cases that you open from now on.</source>
        <translation>Steht im Journal der Fälle, die ab jetzt geöffnet werden.</translation>
    </message>
    <message>
        <source>No case is open</source>
        <translation>Kein Fall geöffnet</translation>
    </message>
    <message>
        <source>Save and close this case.</source>
        <translation>Diesen Fall speichern und schließen.</translation>
    </message>
    <message>
        <source>Look at it, read-only</source>
        <translation>Nur ansehen</translation>
    </message>
    <message>
        <source>Show the case as it is on the disk. Nothing can be changed.</source>
        <translation>Den Fall zeigen, wie er gespeichert ist. Nichts lässt sich ändern.</translation>
    </message>
    <message>
        <source>Dismiss</source>
        <translation>Ausblenden</translation>
    </message>
    <message>
        <source>I have read this.</source>
        <translation>Gelesen.</translation>
    </message>
    <message>
        <source>Open the folder of a project</source>
        <translation>Ordner eines Projekts öffnen</translation>
    </message>
    <message>
        <source>Images: a patient's folder, or a folder of patients</source>
        <translation>Bilder: Ordner eines Patienten oder Ordner mit Patienten</translation>
    </message>
    <message>
        <source>by {name}</source>
        <translation>von {name}</translation>
    </message>
    <message>
        <source>no annotator named</source>
        <translation>ohne Pseudonym</translation>
    </message>
    <message>
        <source>Opening {case} …</source>
        <translation>{case} wird geöffnet …</translation>
    </message>
    <message>
        <source>Save again</source>
        <translation>Erneut speichern</translation>
    </message>
    <message>
        <source>Try once more.</source>
        <translation>Noch einmal versuchen.</translation>
    </message>
    <message>
        <source>Read only: nothing can be changed here</source>
        <translation>Nur lesend: hier lässt sich nichts ändern</translation>
    </message>
    <message>
        <source>All changes saved</source>
        <translation>Alle Änderungen gespeichert</translation>
    </message>
    <message>
        <source>Saving …</source>
        <translation>Speichert …</translation>
    </message>
    <message>
        <source>NOT saved: {problem}</source>
        <translation>NICHT gespeichert: {problem}</translation>
    </message>
    <message>
        <source>new</source>
        <translation>neu</translation>
    </message>
    <message>
        <source>removed</source>
        <translation>entfernt</translation>
    </message>
    <message>
        <source>with another outline</source>
        <translation>mit anderem Umriss</translation>
    </message>
    <message>
        <source>kept as drawn by hand</source>
        <translation>von Hand gezeichnet, bleibt</translation>
    </message>
    <message>
        <source>unchanged</source>
        <translation>unverändert</translation>
    </message>
    <message>
        <source>Network</source>
        <translation>Netzwerk</translation>
    </message>
    <message>
        <source>No network found</source>
        <translation>Kein Netzwerk gefunden</translation>
    </message>
    <message>
        <source>Open a network from a file, such as one that metseg train or retrain wrote.</source>
        <translation>Ein Netzwerk aus einer Datei öffnen, etwa eines von metseg train oder retrain.</translation>
    </message>
    <message>
        <source>Where the network runs. Automatic takes the fastest device of this computer.</source>
        <translation>Wo das Netzwerk rechnet. Automatic nimmt das schnellste Gerät dieses Rechners.</translation>
    </message>
    <message>
        <source>All unedited …</source>
        <translation>Alle unbearbeiteten …</translation>
    </message>
    <message>
        <source>Take over</source>
        <translation>Übernehmen</translation>
    </message>
    <message>
        <source>Device</source>
        <translation>Gerät</translation>
    </message>
    <message>
        <source>Contrast</source>
        <translation>Kontrast</translation>
    </message>
    <message>
        <source>The network that proposes the outlines.</source>
        <translation>Das Netzwerk, das die Umrisse vorschlägt.</translation>
    </message>
    <message>
        <source>Let the network outline the lesions. You see what would change first.</source>
        <translation>Das Netzwerk die Läsionen umreißen lassen. Was sich ändern würde, sehen Sie vorher.</translation>
    </message>
    <message>
        <source>All {count} unedited</source>
        <translation>Alle {count} unbearbeiteten</translation>
    </message>
    <message>
        <source>All unedited</source>
        <translation>Alle unbearbeiteten</translation>
    </message>
    <message>
        <source>Predict the {count} cases that nobody has edited, approved or rejected; the open one is left out.</source>
        <translation>Die {count} Fälle vorhersagen, die niemand bearbeitet, freigegeben oder abgelehnt hat; der offene wird ausgelassen.</translation>
    </message>
    <message>
        <source>Predict again</source>
        <translation>Neu vorhersagen</translation>
    </message>
    <message>
        <source>Also replace what was drawn by hand</source>
        <translation>Auch von Hand Gezeichnetes ersetzen</translation>
    </message>
    <message>
        <source>One step: Ctrl-Z takes it back.</source>
        <translation>Ein Schritt: Strg-Z nimmt ihn zurück.</translation>
    </message>
    <message>
        <source>Discard</source>
        <translation>Verwerfen</translation>
    </message>
    <message>
        <source>Everything stays as it is.</source>
        <translation>Alles bleibt, wie es ist.</translation>
    </message>
    <message>
        <source>{model} ({target}) proposes:</source>
        <translation>{model} ({target}) schlägt vor:</translation>
    </message>
    <message>
        <source>Nothing would change.</source>
        <translation>Nichts würde sich ändern.</translation>
    </message>
    <message>
        <source>{count} predicted where something was drawn by hand, left out.</source>
        <translation>{count} vorhergesagt, wo etwas von Hand gezeichnet ist; ausgelassen.</translation>
    </message>
    <message>
        <source>Go to it; to the next one when clicked again.</source>
        <translation>Dorthin; beim nächsten Klick zur nächsten.</translation>
    </message>
    <message>
        <source>have the network predict this case</source>
        <translation>diesen Fall vorhersagen lassen</translation>
    </message>
    <message>
        <source>take over what the network proposes</source>
        <translation>übernehmen, was das Netzwerk vorschlägt</translation>
    </message>
    <message>
        <source>Still looking for networks.</source>
        <translation>Netzwerke werden noch gesucht.</translation>
    </message>
    <message>
        <source>Choose a network first.</source>
        <translation>Wählen Sie zuerst ein Netzwerk.</translation>
    </message>
    <message>
        <source>Open a case first.</source>
        <translation>Öffnen Sie zuerst einen Fall.</translation>
    </message>
    <message>
        <source>This case can only be looked at here.</source>
        <translation>Dieser Fall kann hier nur angesehen werden.</translation>
    </message>
    <message>
        <source>Every case was edited, approved or rejected.</source>
        <translation>Jeder Fall ist bearbeitet, freigegeben oder abgelehnt.</translation>
    </message>
    <message>
        <source>1 case predicted</source>
        <translation>1 Fall vorhergesagt</translation>
    </message>
    <message>
        <source>{count} cases predicted</source>
        <translation>{count} Fälle vorhergesagt</translation>
    </message>
    <message>
        <source>{count} had this prediction already</source>
        <translation>{count} hatten diese Vorhersage schon</translation>
    </message>
    <message>
        <source>{count} left alone because somebody has edited them meanwhile</source>
        <translation>{count} nicht angerührt, weil sie inzwischen bearbeitet wurden</translation>
    </message>
    <message>
        <source>{count} failed</source>
        <translation>{count} fehlgeschlagen</translation>
    </message>
    <message>
        <source>Open the case before in this order (Shift-W).</source>
        <translation>Den vorigen Fall dieser Reihenfolge öffnen (Umschalt-W).</translation>
    </message>
    <message>
        <source>Open the case that follows in this order (W).</source>
        <translation>Den nächsten Fall dieser Reihenfolge öffnen (W).</translation>
    </message>
    <message>
        <source>Most benefit first. Double click to open.</source>
        <translation>Größter Gewinn zuerst. Doppelklick öffnet.</translation>
    </message>
    <message>
        <source>reject the case</source>
        <translation>den Fall ablehnen</translation>
    </message>
    <message>
        <source>Slice {number}.</source>
        <translation>Schicht {number}.</translation>
    </message>
    <message>
        <source>This case is {status}</source>
        <translation>Dieser Fall ist {status}</translation>
    </message>
    <message>
        <source>Looking at the slices …</source>
        <translation>Schichten werden bewertet …</translation>
    </message>
    <message>
        <source>No network has predicted this case: nothing is known of it.</source>
        <translation>Kein Netz hat diesen Fall vorhergesagt: nichts ist über ihn bekannt.</translation>
    </message>
    <message>
        <source>Nothing that matters is left to check. Approve the case, or look at the rest.</source>
        <translation>Alles Wichtige ist geprüft. Den Fall freigeben oder den Rest ansehen.</translation>
    </message>
    <message>
        <source>this is the last</source>
        <translation>dies ist die letzte</translation>
    </message>
    <message>
        <source>next is slice {number}</source>
        <translation>als nächste Schicht {number}</translation>
    </message>
    <message>
        <source>{seen} of {total} slices that matter looked at</source>
        <translation>{seen} von {total} wichtigen Schichten angesehen</translation>
    </message>
    <message>
        <source>Next slice</source>
        <translation>Nächste Schicht</translation>
    </message>
    <message>
        <source>Count this slice as looked at and go to the one that is worth most.</source>
        <translation>Diese Schicht als angesehen zählen und zu der gehen, bei der am meisten zu gewinnen ist.</translation>
    </message>
    <message>
        <source>Back</source>
        <translation>Zurück</translation>
    </message>
    <message>
        <source>Go back to the slice looked at before.</source>
        <translation>Zur zuvor angesehenen Schicht zurückgehen.</translation>
    </message>
    <message>
        <source>Approve, open next</source>
        <translation>Freigeben, weiter</translation>
    </message>
    <message>
        <source>This case is correct as it is. Open the next one.</source>
        <translation>Dieser Fall ist richtig, wie er ist. Den nächsten öffnen.</translation>
    </message>
    <message>
        <source>Reject …</source>
        <translation>Ablehnen …</translation>
    </message>
    <message>
        <source>This case cannot be used. You are asked why.</source>
        <translation>Dieser Fall ist nicht brauchbar. Der Grund wird erfragt.</translation>
    </message>
    <message>
        <source>Reopen</source>
        <translation>Wieder öffnen</translation>
    </message>
    <message>
        <source>Take the approval or rejection back: the case stands where it stood before.</source>
        <translation>Freigabe oder Ablehnung zurücknehmen: der Fall steht, wo er zuvor stand.</translation>
    </message>
    <message>
        <source>Cases done: {done} of {cases}, slices seen: {seen} of {slices}</source>
        <translation>Fälle fertig: {done} von {cases}, Schichten gesehen: {seen} von {slices}</translation>
    </message>
    <message>
        <source>Looking at the cases …</source>
        <translation>Fälle werden gelesen …</translation>
    </message>
    <message>
        <source>Open a project, and its cases appear here.</source>
        <translation>Ein Projekt öffnen, und hier stehen seine Fälle.</translation>
    </message>
    <message>
        <source>There is no case in this project yet.</source>
        <translation>In diesem Projekt ist noch kein Fall.</translation>
    </message>
    <message>
        <source>Select a lesion first: click on it in the table.</source>
        <translation>Wählen Sie zuerst eine Läsion: klicken Sie in der Tabelle auf sie.</translation>
    </message>
    <message>
        <source>Renumber</source>
        <translation>Umnummerieren</translation>
    </message>
    <message>
        <source>New number of lesion {number}</source>
        <translation>Neue Nummer von Läsion {number}</translation>
    </message>
    <message>
        <source>Retrain on approved cases</source>
        <translation>Mit freigegebenen Fällen nachtrainieren</translation>
    </message>
    <message>
        <source>The network that is trained further. It stays as it is.</source>
        <translation>Das Netzwerk, das weiter trainiert wird. Es selbst bleibt, wie es ist.</translation>
    </message>
    <message>
        <source>Start from a network in a file.</source>
        <translation>Mit einem Netzwerk aus einer Datei anfangen.</translation>
    </message>
    <message>
        <source>Each new slice with a lesion is shown once in an epoch.</source>
        <translation>Jede neue Schicht mit einer Läsion wird je Epoche einmal gezeigt.</translation>
    </message>
    <message>
        <source>Share of the project's patients that is not trained on, but evaluated on.</source>
        <translation>Anteil der Patienten, mit denen nicht trainiert, sondern das Ergebnis geprüft wird.</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>Starten</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>Fortsetzen</translation>
    </message>
    <message>
        <source>Go on where it was stopped, with the cases as they were.</source>
        <translation>Weiter, wo angehalten wurde, mit den Fällen, wie sie waren.</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>Anhalten</translation>
    </message>
    <message>
        <source>End after the step in progress; it can be resumed.</source>
        <translation>Nach dem laufenden Schritt enden; es kann fortgesetzt werden.</translation>
    </message>
    <message>
        <source>loss</source>
        <translation>Verlust</translation>
    </message>
    <message>
        <source>Loss of each step comes here</source>
        <translation>Hier erscheint der Verlust jedes Schritts</translation>
    </message>
    <message>
        <source>Dice on held-out patients</source>
        <translation>Dice auf zurückgehaltenen Patienten</translation>
    </message>
    <message>
        <source>Dice after each epoch comes here</source>
        <translation>Hier erscheint der Dice nach jeder Epoche</translation>
    </message>
    <message>
        <source>Make it this project's default</source>
        <translation>Zum Standard des Projekts machen</translation>
    </message>
    <message>
        <source>Start from</source>
        <translation>Anfangen mit</translation>
    </message>
    <message>
        <source>Also show again</source>
        <translation>Auch wieder zeigen</translation>
    </message>
    <message>
        <source>Epochs</source>
        <translation>Epochen</translation>
    </message>
    <message>
        <source>Averages several networks; start from one of them.</source>
        <translation>Mittelt mehrere Netzwerke; fangen Sie mit einem davon an.</translation>
    </message>
    <message>
        <source>Start anew</source>
        <translation>Neu starten</translation>
    </message>
    <message>
        <source>Train in a process of its own; go on correcting meanwhile.</source>
        <translation>In einem eigenen Prozess trainieren; korrigieren Sie inzwischen weiter.</translation>
    </message>
    <message>
        <source>starting</source>
        <translation>beginnt</translation>
    </message>
    <message>
        <source>ending the step …</source>
        <translation>der Schritt wird beendet …</translation>
    </message>
    <message>
        <source>{what}, {time} left</source>
        <translation>{what}, noch {time}</translation>
    </message>
    <message>
        <source>New predictions in this project then come from it. Others stay available.</source>
        <translation>Neue Vorhersagen in diesem Projekt kommen dann von ihm. Andere bleiben verfügbar.</translation>
    </message>
    <message>
        <source>It is what this project asks first.</source>
        <translation>Es wird in diesem Projekt zuerst gefragt.</translation>
    </message>
    <message>
        <source>It did not pass the promotion check and cannot become the default. It can still be chosen by hand.</source>
        <translation>Es kann nicht Standard werden, weil die Prüfung nicht bestanden ist. Von Hand kann es gewählt werden.</translation>
    </message>
    <message>
        <source>Add folder …</source>
        <translation>Ordner hinzufügen …</translation>
    </message>
    <message>
        <source>Patients with masks, such as those the network was trained on.</source>
        <translation>Patienten mit Masken, etwa die, mit denen das Netzwerk trainiert wurde.</translation>
    </message>
    <message>
        <source>Do not show these patients again.</source>
        <translation>Diese Patienten nicht wieder zeigen.</translation>
    </message>
    <message>
        <source>Patients with masks that are shown again</source>
        <translation>Patienten mit Masken, die wieder gezeigt werden</translation>
    </message>
    <message>
        <source>Approved cases: {count}; of them in the evaluation set: {evaluated}.</source>
        <translation>Freigegebene Fälle: {count}; {evaluated} davon prüfen das Ergebnis.</translation>
    </message>
    <message>
        <source>So do patients of the folders who were held out from the network.</source>
        <translation>Ebenso Patienten der Ordner, die dem Netzwerk vorenthalten wurden.</translation>
    </message>
    <message>
        <source>With fewer than {least} the promotion check decides nothing: approve more, or hold out more.</source>
        <translation>Mit weniger als {least} entscheidet die Prüfung nichts: geben Sie mehr frei, oder halten Sie mehr zurück.</translation>
    </message>
    <message>
        <source>Nobody is shown again: what the network knows may be forgotten.</source>
        <translation>Niemand wird wieder gezeigt: was das Netzwerk kann, kann verloren gehen.</translation>
    </message>
    <message>
        <source>A training runs already.</source>
        <translation>Ein Training läuft schon.</translation>
    </message>
    <message>
        <source>Approve cases first: only approved ones are trained on.</source>
        <translation>Geben Sie zuerst Fälle frei: nur mit freigegebenen wird trainiert.</translation>
    </message>
    <message>
        <source>Choose a network to start from.</source>
        <translation>Wählen Sie ein Netzwerk zum Anfangen.</translation>
    </message>
    <message>
        <source>Only a network that was compared with its parent can become the default.</source>
        <translation>Nur ein Netzwerk, das mit seinem Vorgänger verglichen wurde, kann Standard werden.</translation>
    </message>
    <message>
        <source>It is the project's default already.</source>
        <translation>Es ist schon der Standard des Projekts.</translation>
    </message>
    <message>
        <source>The promotion check was not passed: {reason}.</source>
        <translation>Die Prüfung ist nicht bestanden: {reason}.</translation>
    </message>
    <message>
        <source>{name} is asked first in this project from now on.</source>
        <translation>{name} wird in diesem Projekt von nun an zuerst gefragt.</translation>
    </message>
    <message>
        <source>Why? For example: movement, no FLAIR, not this patient</source>
        <translation>Warum? Etwa: Bewegung, keine FLAIR, anderer Patient</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>Look (⏎)</source>
        <translation>Ansehen (⏎)</translation>
    </message>
    <message>
        <source>Show the first of the slices that were not looked at (Return).</source>
        <translation>Die erste nicht angesehene Schicht zeigen (Eingabetaste).</translation>
    </message>
    <message>
        <source>Approve anyway</source>
        <translation>Trotzdem freigeben</translation>
    </message>
    <message>
        <source>They stay marked as not looked at.</source>
        <translation>Sie bleiben als nicht angesehen vermerkt.</translation>
    </message>
    <message>
        <source>Change nothing (Esc).</source>
        <translation>Nichts ändern (Esc).</translation>
    </message>
    <message>
        <source>Not looked at: {count} of {total} slices ({which}). Approve all the same?</source>
        <translation>Nicht angesehen: {count} von {total} Schichten ({which}). Trotzdem freigeben?</translation>
    </message>
    <message>
        <source>Not looked at: {count} of {total} slices that matter ({which}). Approve all the same?</source>
        <translation>Nicht angesehen: {count} von {total} wichtigen Schichten ({which}). Trotzdem freigeben?</translation>
    </message>
    <message>
        <source>next slice to look at</source>
        <translation>nächste Schicht, die anzusehen ist</translation>
    </message>
    <message>
        <source>slice before</source>
        <translation>Schicht davor</translation>
    </message>
    <message>
        <source>approve, open the next case</source>
        <translation>freigeben, nächsten Fall öffnen</translation>
    </message>
    <message>
        <source>approve though slices remain</source>
        <translation>freigeben, obwohl Schichten bleiben</translation>
    </message>
    <message>
        <source>reopen the approved or rejected case</source>
        <translation>den freigegebenen oder abgelehnten Fall wieder öffnen</translation>
    </message>
    <message>
        <source>next case</source>
        <translation>nächster Fall</translation>
    </message>
    <message>
        <source>case before</source>
        <translation>Fall davor</translation>
    </message>
    <message>
        <source>slice {number}: looked at, or drawn on</source>
        <translation>Schicht {number}: angesehen oder bearbeitet</translation>
    </message>
    <message>
        <source>slice {number}: worth {gain} % of Dice</source>
        <translation>Schicht {number}: {gain} % Dice zu gewinnen</translation>
    </message>
    <message>
        <source>slice {number}: hardly anything to gain</source>
        <translation>Schicht {number}: kaum etwas zu gewinnen</translation>
    </message>
    <message>
        <source>to do</source>
        <translation>offen</translation>
    </message>
    <message>
        <source>predicted</source>
        <translation>vorhergesagt</translation>
    </message>
    <message>
        <source>corrected</source>
        <translation>korrigiert</translation>
    </message>
    <message>
        <source>approved</source>
        <translation>freigegeben</translation>
    </message>
    <message>
        <source>rejected</source>
        <translation>abgelehnt</translation>
    </message>
    <message>
        <source>lesions in 3D, and back</source>
        <translation>Läsionen in 3D, und zurück</translation>
    </message>
    <message>
        <source>Draw once along a lesion: it is outlined along the network's contour and the image's edge. With Shift held, what you draw over is taken away. The brush is as thick as napari's ([ and ]).</source>
        <translation>Einmal an einer Läsion entlang zeichnen: sie wird entlang der Kontur des Netzes und der Kante im Bild umrissen. Mit Umschalttaste wird das Überzeichnete entfernt. Der Pinsel ist so dick wie der von napari ([ und ]).</translation>
    </message>
    <message>
        <source>Draw once over what is no lesion: it is taken away up to where the rest looks different.</source>
        <translation>Einmal über das zeichnen, was keine Läsion ist: es wird entfernt bis dorthin, wo der Rest anders aussieht.</translation>
    </message>
    <message>
        <source>Click into both parts of a lesion: it is cut at the narrowest place between them.</source>
        <translation>In beide Teile einer Läsion klicken: sie wird an der engsten Stelle dazwischen geteilt.</translation>
    </message>
    <message>
        <source>Drag on the canvas: how far it is from there to here, in mm where the voxel size is known.</source>
        <translation>Im Bild ziehen: die Entfernung von dort nach hier, in mm, wo die Voxelgröße bekannt ist.</translation>
    </message>
    <message>
        <source>Every piece of the selected lesion that hangs together gets its own number.</source>
        <translation>Jedes zusammenhängende Stück der gewählten Läsion bekommt eine eigene Nummer.</translation>
    </message>
    <message>
        <source>Move the selected lesion's edge outwards, as far as chosen beside it. Held, the key shows what would change; Escape leaves it.</source>
        <translation>Den Rand der gewählten Läsion nach außen schieben, so weit wie daneben gewählt. Gehalten zeigt die Taste, was sich ändern würde; Esc lässt es.</translation>
    </message>
    <message>
        <source>Move the selected lesion's edge inwards, as far as chosen beside it. Held, the key shows what would change; Escape leaves it.</source>
        <translation>Den Rand der gewählten Läsion nach innen schieben, so weit wie daneben gewählt. Gehalten zeigt die Taste, was sich ändern würde; Esc lässt es.</translation>
    </message>
    <message>
        <source>How far Grow and Shrink move the edge of the selected lesion: by a pixel in this slice or in all ({pixel}), or to the network's next contour.</source>
        <translation>Wie weit Wachsen und Schrumpfen den Rand der gewählten Läsion schieben: um ein Pixel in dieser Schicht oder in allen ({pixel}) oder bis zur nächsten Kontur des Netzes.</translation>
    </message>
    <message>
        <source>Redraw the selected lesion between the nearest slices before and after this one that you drew.</source>
        <translation>Die gewählte Läsion zwischen den nächsten selbst gezeichneten Schichten davor und danach neu zeichnen.</translation>
    </message>
    <message>
        <source>The lesions selected in the table get the number of the current one.</source>
        <translation>Die in der Tabelle gewählten Läsionen bekommen die Nummer der aktuellen.</translation>
    </message>
    <message>
        <source>Give the selected lesion another number.</source>
        <translation>Der gewählten Läsion eine andere Nummer geben.</translation>
    </message>
    <message>
        <source>In how many slices above and below a stroke outlines the lesion too, as long as it looks alike there.</source>
        <translation>In wie vielen Schichten darüber und darunter ein Strich die Läsion auch umreißt, solange sie dort ähnlich aussieht.</translation>
    </message>
    <message>
        <source>Remove the lesions selected in the table.</source>
        <translation>Die in der Tabelle gewählten Läsionen entfernen.</translation>
    </message>
    <message>
        <source>What the lesion has beyond the new outline, in that slice, is taken away.</source>
        <translation>Was die Läsion in dieser Schicht jenseits des neuen Umrisses hat, wird entfernt.</translation>
    </message>
    <message>
        <source>Correct</source>
        <translation>Korrigieren</translation>
    </message>
    <message>
        <source>Guided brush</source>
        <translation>Pinsel, geführt</translation>
    </message>
    <message>
        <source>Guided eraser</source>
        <translation>Radierer, geführt</translation>
    </message>
    <message>
        <source>Split</source>
        <translation>Teilen</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>Messen</translation>
    </message>
    <message>
        <source>Grow</source>
        <translation>Wachsen</translation>
    </message>
    <message>
        <source>Shrink</source>
        <translation>Schrumpfen</translation>
    </message>
    <message>
        <source>Interpolate</source>
        <translation>Interpolieren</translation>
    </message>
    <message>
        <source>Separate</source>
        <translation>Trennen</translation>
    </message>
    <message>
        <source>Merge</source>
        <translation>Vereinen</translation>
    </message>
    <message>
        <source>Delete</source>
        <translation>Löschen</translation>
    </message>
    <message>
        <source>Renumber …</source>
        <translation>Nummer …</translation>
    </message>
    <message>
        <source>Take the last change back (Ctrl+Z).</source>
        <translation>Die letzte Änderung zurücknehmen (Strg+Z).</translation>
    </message>
    <message>
        <source>Make it again (Ctrl+Shift+Z).</source>
        <translation>Wiederherstellen (Strg+Umschalt+Z).</translation>
    </message>
    <message>
        <source>Redraw</source>
        <translation>Ersetzen</translation>
    </message>
    <message>
        <source>this slice</source>
        <translation>diese Schicht</translation>
    </message>
    <message>
        <source> slices</source>
        <translation> Schichten</translation>
    </message>
    <message>
        <source>copy the lesion to the next slice</source>
        <translation>die Läsion in die nächste Schicht kopieren</translation>
    </message>
    <message>
        <source>copy the lesion to the slice before</source>
        <translation>die Läsion in die vorige Schicht kopieren</translation>
    </message>
    <message>
        <source>Brush outlines</source>
        <translation>Pinsel umreißt</translation>
    </message>
    <message>
        <source>The contour that adds or removes at least 15 % of the lesion.</source>
        <translation>Die Kontur, die der Läsion mindestens 15 % gibt oder nimmt.</translation>
    </message>
    <message>
        <source>No network has seen this case.</source>
        <translation>Kein Netz hat diesen Fall gesehen.</translation>
    </message>
    <message>
        <source>all slices</source>
        <translation>alle Schichten</translation>
    </message>
    <message>
        <source>contour</source>
        <translation>Kontur</translation>
    </message>
    <message>
        <source>there is no room</source>
        <translation>dort ist kein Platz</translation>
    </message>
    <message>
        <source>the network saw nothing more round it: use the guided brush</source>
        <translation>das Netzwerk sah darum herum nichts mehr: nehmen Sie „Pinsel, geführt“</translation>
    </message>
    <message>
        <source>nothing would remain of it: delete it instead</source>
        <translation>nichts bliebe von ihr: löschen Sie sie</translation>
    </message>
    <message>
        <source>there is no contour of the network's within it: use the guided eraser</source>
        <translation>in ihr liegt keine Kontur des Netzwerks: nehmen Sie „Radierer, geführt“</translation>
    </message>
    <message>
        <source>relabel</source>
        <translation>umnummerieren</translation>
    </message>
    <message>
        <source>copy to slice</source>
        <translation>in Schicht kopieren</translation>
    </message>
    <message>
        <source>{others} and {last}</source>
        <translation>{others} und {last}</translation>
    </message>
    <message>
        <source>lesions {numbers}</source>
        <translation>Läsionen {numbers}</translation>
    </message>
    <message>
        <source>lesion {number}</source>
        <translation>Läsion {number}</translation>
    </message>
    <message>
        <source>{count} voxels more</source>
        <translation>{count} Voxel mehr</translation>
    </message>
    <message>
        <source>{count} voxels fewer</source>
        <translation>{count} Voxel weniger</translation>
    </message>
    <message>
        <source>the stroke touches no lesion</source>
        <translation>der Strich berührt keine Läsion</translation>
    </message>
    <message>
        <source>the stroke adds nothing</source>
        <translation>der Strich fügt nichts hinzu</translation>
    </message>
    <message>
        <source>show axial slices (2D) to copy between two of them</source>
        <translation>zeigen Sie axiale Schichten (2D), um zwischen zweien zu kopieren</translation>
    </message>
    <message>
        <source>the lesion is so there already</source>
        <translation>die Läsion ist dort schon so</translation>
    </message>
    <message>
        <source>show axial slices (2D) to change one of them</source>
        <translation>zeigen Sie axiale Schichten (2D), um eine davon zu ändern</translation>
    </message>
    <message>
        <source>show axial slices (2D) to interpolate between two of them</source>
        <translation>zeigen Sie axiale Schichten (2D), um zwischen zweien zu interpolieren</translation>
    </message>
    <message>
        <source>the slices between are so already</source>
        <translation>die Schichten dazwischen sind schon so</translation>
    </message>
    <message>
        <source>there is nothing to split</source>
        <translation>hier ist nichts zu teilen</translation>
    </message>
    <message>
        <source>it is in one piece already: split it by two clicks</source>
        <translation>sie hängt schon zusammen: teilen Sie sie mit zwei Klicks</translation>
    </message>
    <message>
        <source>select two or more lesions in the table first (Ctrl or Shift and a click)</source>
        <translation>wählen Sie zuerst zwei oder mehr Läsionen in der Tabelle (Strg oder Umschalt und Klick)</translation>
    </message>
    <message>
        <source>they are one already</source>
        <translation>sie sind schon eine</translation>
    </message>
    <message>
        <source>nothing is there</source>
        <translation>dort ist nichts</translation>
    </message>
    <message>
        <source>that is its number already</source>
        <translation>das ist schon ihre Nummer</translation>
    </message>
    <message>
        <source>pixels (the size of one is not known)</source>
        <translation>Pixel (Größe nicht bekannt)</translation>
    </message>
    <message>
        <source>{length} {unit} in this slice.</source>
        <translation>{length} {unit} in dieser Schicht.</translation>
    </message>
    <message>
        <source>select a lesion first: click on it in the table</source>
        <translation>wählen Sie zuerst eine Läsion: klicken Sie in der Tabelle auf sie</translation>
    </message>
    <message>
        <source>no network has looked at this case yet: make a prediction, or use the guided brush</source>
        <translation>noch hat kein Netzwerk diesen Fall gesehen: sagen Sie ihn vorher, oder nehmen Sie „Pinsel, geführt“</translation>
    </message>
    <message>
        <source>hide the lesions while held</source>
        <translation>Läsionen verbergen, solange gedrückt</translation>
    </message>
    <message>
        <source>lesions as contours, or filled</source>
        <translation>Läsionen als Konturen, oder gefüllt</translation>
    </message>
    <message>
        <source>brightness: usual, narrow, whole range</source>
        <translation>Helligkeit: üblich, eng, ganzer Bereich</translation>
    </message>
    <message>
        <source>thicker brush</source>
        <translation>dickerer Pinsel</translation>
    </message>
    <message>
        <source>thinner brush</source>
        <translation>dünnerer Pinsel</translation>
    </message>
    <message>
        <source>new lesion</source>
        <translation>neue Läsion</translation>
    </message>
    <message>
        <source>show these keys</source>
        <translation>diese Tasten zeigen</translation>
    </message>
    <message>
        <source>Review</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Predict</source>
        <translation>Vorhersage</translation>
    </message>
    <message>
        <source>Retrain</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
    <message>
        <source>A server runs networks of its own. To open a file, run on this computer.</source>
        <translation>Ein Server hat eigene Netzwerke. Um eine Datei zu öffnen, rechnen Sie auf diesem Rechner.</translation>
    </message>
    <message>
        <source>Connect to a server first.</source>
        <translation>Verbinden Sie sich zuerst mit einem Server.</translation>
    </message>
    <message>
        <source>Training runs here: choose this computer under Predict first.</source>
        <translation>Trainiert wird hier: wählen Sie zuerst unter „Vorhersagen“ diesen Rechner.</translation>
    </message>
    <message>
        <source>Run on</source>
        <translation>Rechnen auf</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>Dieser Rechner</translation>
    </message>
    <message>
        <source>A metseg server</source>
        <translation>Ein metseg-Server</translation>
    </message>
    <message>
        <source>A server is sent voxels, spacing and the names of the sequences; nothing that names the patient.</source>
        <translation>Ein Server bekommt Voxel, Abstände und die Namen der Sequenzen; nichts, was den Patienten nennt.</translation>
    </message>
    <message>
        <source>Server</source>
        <translation>Server</translation>
    </message>
    <message>
        <source>Connect</source>
        <translation>Verbinden</translation>
    </message>
    <message>
        <source>Ask the server which networks it has.</source>
        <translation>Den Server fragen, welche Netzwerke er hat.</translation>
    </message>
    <message>
        <source>Type the server's address first.</source>
        <translation>Geben Sie zuerst die Adresse des Servers ein.</translation>
    </message>
    <message>
        <source>Token</source>
        <translation>Token</translation>
    </message>
    <message>
        <source>METSEG_TOKEN or keyring</source>
        <translation>METSEG_TOKEN oder Schlüsselbund</translation>
    </message>
    <message>
        <source>The server's access token. Unless it is typed, METSEG_TOKEN, else the keyring's.</source>
        <translation>Das Zugangstoken des Servers. Wird keines eingegeben: METSEG_TOKEN, sonst das im Schlüsselbund.</translation>
    </message>
    <message>
        <source>Keep in the system's keyring</source>
        <translation>Im Schlüsselbund des Systems aufheben</translation>
    </message>
    <message>
        <source>Once the server has answered. Never in a file of metseg.</source>
        <translation>Sobald der Server geantwortet hat. Nie in einer Datei von metseg.</translation>
    </message>
    <message>
        <source>Asking {host} …</source>
        <translation>{host} wird gefragt …</translation>
    </message>
    <message>
        <source>Connected: {device}{count} networks</source>
        <translation>Verbunden: {device}{count} Netzwerke</translation>
    </message>
    <message>
        <source>Connected: {device}1 network</source>
        <translation>Verbunden: {device}1 Netzwerk</translation>
    </message>
    <message>
        <source>It has metseg {there}, this computer {here}: update the older one.</source>
        <translation>Dort läuft metseg {there}, hier {here}: aktualisieren Sie das ältere.</translation>
    </message>
    <message>
        <source>The server's</source>
        <translation>Das des Servers</translation>
    </message>
    <message>
        <source>The server decides on what its networks run.</source>
        <translation>Der Server entscheidet, worauf seine Netzwerke rechnen.</translation>
    </message>
    <message>
        <source>No.</source>
        <translation>Nr.</translation>
    </message>
    <message>
        <source>Number and colour of the lesion.</source>
        <translation>Nummer und Farbe der Läsion.</translation>
    </message>
    <message>
        <source>Slices</source>
        <translation>Schichten</translation>
    </message>
    <message>
        <source>First and last slice.</source>
        <translation>Erste und letzte Schicht.</translation>
    </message>
    <message>
        <source>Volume
{volume}</source>
        <translation>Volumen
{volume}</translation>
    </message>
    <message>
        <source>Volume in mm³ if the voxel size is known, else voxels.</source>
        <translation>Volumen in mm³, wenn die Größe der Voxel bekannt ist, sonst in Voxeln.</translation>
    </message>
    <message>
        <source>Length
{length}</source>
        <translation>Länge
{length}</translation>
    </message>
    <message>
        <source>Longest diameter within one slice, in mm if the voxel size is known, else pixels.</source>
        <translation>Längster Durchmesser in einer Schicht, in mm, wenn die Größe der Voxel bekannt ist, sonst in Pixeln.</translation>
    </message>
    <message>
        <source>Across
mm</source>
        <translation>Quer
mm</translation>
    </message>
    <message>
        <source>Longest extent at right angles to the length, in the same slice.</source>
        <translation>Größte Ausdehnung quer zur Länge, in derselben Schicht.</translation>
    </message>
    <message>
        <source>RANO</source>
        <translation>RANO</translation>
    </message>
    <message>
        <source>Whether the lesion has the size that RANO-BM calls measurable: 10 mm long, 5 mm across, on two slices.</source>
        <translation>Ob die Läsion so groß ist, dass RANO-BM sie messbar nennt: 10 mm lang, 5 mm quer, auf zwei Schichten.</translation>
    </message>
    <message>
        <source>Side</source>
        <translation>Seite</translation>
    </message>
    <message>
        <source>Of the patient; midline within 10 mm of the middle of the head.</source>
        <translation>Des Patienten; Mittellinie bis 10 mm von der Mitte des Kopfes.</translation>
    </message>
    <message>
        <source>Prob.</source>
        <translation>Wahrsch.</translation>
    </message>
    <message>
        <source>Mean probability that the network gives to the lesion's voxels, 0 to 1.</source>
        <translation>Mittlere Wahrscheinlichkeit, die das Netzwerk den Voxeln der Läsion gibt, 0 bis 1.</translation>
    </message>
    <message>
        <source>Unsure
bits</source>
        <translation>Unsicher
Bit</translation>
    </message>
    <message>
        <source>How unsure the network is in and around the lesion: mean entropy, 0 if certain, 1 if it tosses a coin.</source>
        <translation>Wie unsicher das Netzwerk in und um die Läsion ist: mittlere Entropie, 0 wenn sicher, 1 wenn es eine Münze wirft.</translation>
    </message>
    <message>
        <source>Nets
apart</source>
        <translation>Netze
uneins</translation>
    </message>
    <message>
        <source>How far the ensemble's networks are apart in the lesion: mean, 0 if they agree, 1 if one is sure that it is lesion and another that it is none.</source>
        <translation>Wie weit die Netzwerke des Ensembles in der Läsion auseinanderliegen: Mittel, 0 wenn sie einig sind, 1 wenn eines sicher ist, dass es Läsion ist, und ein anderes, dass es keine ist.</translation>
    </message>
    <message>
        <source>Edge</source>
        <translation>Rand</translation>
    </message>
    <message>
        <source>Whether the lesion reaches a face of the volume, so that it may go on beyond it.</source>
        <translation>Ob die Läsion eine Seite des Volumens erreicht, so dass sie darüber hinausgehen kann.</translation>
    </message>
    <message>
        <source>By</source>
        <translation>Von</translation>
    </message>
    <message>
        <source>Who drew it: auto (the network), mixed (network or tool, and a person), or hand.</source>
        <translation>Wer sie gezeichnet hat: auto (das Netzwerk), gemischt (Netzwerk oder Werkzeug, und ein Mensch) oder Hand.</translation>
    </message>
    <message>
        <source>auto</source>
        <translation>auto</translation>
    </message>
    <message>
        <source>mixed</source>
        <translation>gemischt</translation>
    </message>
    <message>
        <source>hand</source>
        <translation>Hand</translation>
    </message>
    <message>
        <source>left</source>
        <translation>links</translation>
    </message>
    <message>
        <source>right</source>
        <translation>rechts</translation>
    </message>
    <message>
        <source>midline</source>
        <translation>Mittellinie</translation>
    </message>
    <message>
        <source>voxels</source>
        <translation>Voxel</translation>
    </message>
    <message>
        <source>pixels</source>
        <translation>Pixel</translation>
    </message>
    <message>
        <source>yes</source>
        <translation>ja</translation>
    </message>
    <message>
        <source>Voxels: {count}</source>
        <translation>Voxel: {count}</translation>
    </message>
    <message>
        <source>1 lesion</source>
        <translation>1 Läsion</translation>
    </message>
    <message>
        <source>{count} lesions</source>
        <translation>{count} Läsionen</translation>
    </message>
    <message>
        <source>Write the table to a CSV file.</source>
        <translation>Die Tabelle in eine CSV-Datei schreiben.</translation>
    </message>
    <message>
        <source>next lesion</source>
        <translation>nächste Läsion</translation>
    </message>
    <message>
        <source>lesion before</source>
        <translation>vorige Läsion</translation>
    </message>
    <message>
        <source>There are no lesions.</source>
        <translation>Es gibt keine Läsionen.</translation>
    </message>
    <message>
        <source>Export table</source>
        <translation>Tabelle exportieren</translation>
    </message>
    <message>
        <source>{lesions} written to {file}.</source>
        <translation>{lesions} in {file} geschrieben.</translation>
    </message>
    <message>
        <source>targets {length} mm</source>
        <translation>Zielläsionen {length} mm</translation>
    </message>
    <message>
        <source>Split by two clicks</source>
        <translation>Mit zwei Klicks teilen</translation>
    </message>
    <message>
        <source>Separate pieces</source>
        <translation>Stücke trennen</translation>
    </message>
    <message>
        <source>Lesions</source>
        <translation>Läsionen</translation>
    </message>
</context></TS>
