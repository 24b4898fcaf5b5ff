def explain(our, protocols, their, path):
    if our.fate == 'decoded':
        if our.packet == their:
            return 'equal'
        return 'UNEXPLAINED decoded ' + protocols
    if our.fate == 'held':
        if their and our.packet[:3] == their[:3] and their[3:] == (0,0):
            return 'equal'
        return 'UNEXPLAINED held ' + protocols
    if their is None:
        return 'both none'
    return 'UNEXPLAINED ' + our.fate + ' ' + protocols
def unexplained_counts(x):
    return x
