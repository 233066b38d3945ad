<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de_DE">
<context>
    <name>studio</name>
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
        <source>Draw only within</source>
        <translation>Nur zeichnen in</translation>
    </message>
    <message>
        <source>Brushes, napari's own too, draw only on intensities within this range of the image that the tools look at.</source>
        <translation>Pinsel, auch die von napari, zeichnen nur auf Intensitäten in diesem Bereich des Bildes, das die Werkzeuge betrachten.</translation>
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
        <source>A new, empty folder for the project</source>
        <translation>Neuer, leerer Ordner für das Projekt</translation>
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
        <source>{done} of {cases} cases done, {seen} of {slices} slices looked at</source>
        <translation>{done} von {cases} Fällen fertig, {seen} von {slices} Schichten angesehen</translation>
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
        <source>Why? For example: movement, no FLAIR, not this patient</source>
        <translation>Warum? Etwa: Bewegung, keine FLAIR, anderer Patient</translation>
    </message>
    <message>
        <source>Reject</source>
        <translation>Ablehnen</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>Abbrechen</translation>
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
        <source>Review</source>
        <translation>Prüfen</translation>
    </message>
    <message>
        <source>Predict</source>
        <translation>Vorhersage</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>Export</translation>
    </message>
    <message>
        <source>Retrain</source>
        <translation>Training</translation>
    </message>
    <message>
        <source>Keys</source>
        <translation>Tasten</translation>
    </message>
</context></TS>
